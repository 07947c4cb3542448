// The details of one task.

import { find, make, setPairs, setText } from './dom.mjs';
import { dateAndClock, duration, percent } from './format.mjs';
import { kinds } from './job.mjs';
import { RawField } from './raw.mjs';

const mostNeeders = 20, mostNotes = 5;

export class TaskDetails {
  #pairs = make('dl', { className: 'pairs' });
  #fields = [['info_logs', 'Logs'], ['inputs', 'Inputs'], ['result', 'Result']]
    .map(([name, title]) => ({ name, field: new RawField(title) }));

  /** @param {() => void} close called when the reader closes the details */
  constructor(close) {
    find('task-body').append(this.#pairs, ...this.#fields.map(({ field }) => field.element));
    find('task-close').addEventListener('click', close);
    find('task').addEventListener('keydown', event => event.key === 'Escape' && close());
  }

  /** Shows another task, or none: its raw fields are closed. */
  open(isOpen) {
    find('task').hidden = !isOpen;
    for (const { field } of this.#fields) field.element.open = false;
  }

  focus() {
    const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
    find('task').focus({ preventScroll: true });
    find('task').scrollIntoView({ block: 'nearest', behavior: isStill ? 'auto' : 'smooth' });
  }

  show(job, task, now) {
    const { status, kind, start, end = null } = task, until = end ?? now;
    const isPlain = status.toLowerCase() === kinds[kind].toLowerCase();
    const needers = job.tasks.filter(other => other.dependsOn.includes(task.name)).slice(0, mostNeeders);
    find('task').dataset.kind = kind;
    setText(find('task-title'), task.name);
    setPairs(this.#pairs, [
      ['Status', kind === 'unknown' ? status : isPlain ? kinds[kind] : `${kinds[kind]} (${status})`],
      ['Error', task.error.join('\n')],
      ['Message', task.message.toLowerCase() === status.toLowerCase() ? '' : task.message],
      ['Progress', task.progress === null ? '' : percent(task.progress)],
      ['Started', start && dateAndClock(start)],
      ['Ended', end && dateAndClock(end)],
      [end ? 'Took' : 'Runs for', start && until >= start && duration(until - start)],
      ['Expected', task.estimate && duration(1000 * task.estimate)],
      ['Depends on', task.dependsOn.join(', ')],
      ['Needed by', needers.map(other => other.name).join(', ')],
      ['Block', task.block],
      ['Notes', task.notes.slice(0, mostNotes).join('\n')],
    ]);
    for (const { name, field } of this.#fields) field.show(task.body[name]);
  }
}
