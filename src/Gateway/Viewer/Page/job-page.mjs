// The page of one job.

import { find, icon, make, setItems, setPairs, setText } from './dom.mjs';
import { moment } from './elapsed.mjs';
import { count, dateAndClock, duration, percent } from './format.mjs';
import { showBanner, showFreshness } from './freshness.mjs';
import { Graph, mostTasks } from './graph.mjs';
import { headline, kinds, readJob } from './job.mjs';
import { showErrors, showMessages } from './messages.mjs';
import { RawField, RawJob } from './raw.mjs';
import { TaskDetails } from './task.mjs';
import { Timeline } from './timeline.mjs';

const mostNews = 4, mostUnknown = 3;

export class JobPage {
  #graph = new Graph(find('graph'), task => this.#chosen === task ? this.#closeTask() : this.#choose(task, true));
  #timeline = new Timeline(find('timeline'));
  #details = new TaskDetails(() => this.#closeTask());
  #specification = new RawField('Specification');
  #raw = new RawJob();

  #address = null;
  #words = null;
  #link = { kind: 'connecting' };
  #chosen = -1;
  #isChosenByReader = false;
  // The gateway's clock minus the browser's, in milliseconds.
  #clockDifference = 0;

  /** The last state that arrived; null if there is none. */
  state = null;

  constructor() {
    find('spec').append(this.#specification.element);
    setInterval(() => this.tick(), 1000);
  }

  /** Shows another job, of which nothing is known yet. */
  open(address, words) {
    [this.#address, this.#words, this.state, this.#link] = [address, words, null, { kind: 'connecting' }];
    this.#isChosenByReader = false;
    this.#choose(-1, false);
    this.#timeline.open();
    document.title = `${address.job} · Gateway`;
    setText(find('workflow-name'), address.workflow);
    setText(find('job-title'), address.job);
    find('job').hidden = false;
    this.tick();
  }

  close() {
    this.state = null;
    find('job').hidden = true;
  }

  /**
   * Takes a new state of the job, or the news that it has not changed. Returns whether the job has ended. Throws if the
   * state cannot be shown.
   */
  arrive({ text, etag, origin, date }) {
    const at = moment(), before = this.state;
    if (!Number.isNaN(date)) this.#clockDifference = date - Date.now();
    if (text === null) this.state = { ...before, etag, origin, at };
    else {
      this.state = { job: readJob(text, this.#words), text, etag, origin, at };
      this.#announce(before?.job);
      this.#show(before?.job);
    }
    this.tick();
    return this.state.job.hasEnded;
  }

  /** Takes what the connection does. */
  change(link) {
    this.#link = link;
    if (link.refusal && !this.state) document.title = `${link.refusal.title} · ${this.#address.job}`;
    this.tick();
  }

  /** Shows what changes with time: ages and durations. */
  tick() {
    if (find('job').hidden) return;
    showBanner(this.state, this.#link);
    find('job').classList.toggle('empty', !this.state);
    if (!this.state) return;
    const { job } = this.state, now = this.#now();
    showFreshness(this.state, this.#link);
    showFacts(job, now);
    if (job.hasEnded) return;
    this.#graph.tick(now);
    this.#timeline.tick(now);
    this.#showTask();
  }

  // The time until which the job runs: its end, or the gateway's present time, which is at least the newest time that
  // the job names.
  #now() {
    const { hasEnded, finished, latest } = this.state.job;
    return hasEnded ? finished : Math.max(Date.now() + this.#clockDifference, latest);
  }

  #show(before) {
    const { job, text } = this.state, now = this.#now();
    showState(job, this.#address.job);
    showErrors(job, task => this.#choose(task, true));
    this.#graph.show(job.tasks, now);
    showLegend(job);
    setText(find('graph-notes'), notes(job, this.#graph.plan));
    this.#timeline.show(job, now);
    showMessages(job);
    this.#specification.show(job.body.spec);
    this.#raw.show(text, job.body, `${this.#address.workflow}-${this.#address.job}`);
    // The tasks may have changed their order.
    const name = before?.tasks[this.#chosen]?.name;
    if (this.#chosen >= 0 && job.tasks[this.#chosen]?.name !== name) {
      this.#choose(job.tasks.findIndex(task => task.name === name), false);
    }
    // Open the task that a reader looks for first, until the reader chooses.
    const failed = job.tasks.findIndex(task => task.kind === 'failed');
    if (!this.#isChosenByReader && this.#chosen !== failed) this.#choose(failed, false);
    else this.#showTask();
  }

  #choose(task, byReader) {
    this.#chosen = task;
    this.#isChosenByReader ||= byReader;
    this.#graph.mark(task);
    this.#graph.reveal(task);
    this.#details.open(task >= 0);
    this.#showTask();
    if (byReader && task >= 0) this.#details.focus();
  }

  #closeTask() {
    const last = this.#chosen;
    this.#choose(-1, true);
    this.#graph.focus(last);
  }

  #showTask() {
    if (this.#chosen < 0) return;
    const { job } = this.state;
    this.#details.show(job, job.tasks[this.#chosen], this.#now());
  }

  // Tells a screen reader what has changed, but not each percent.
  #announce(before) {
    const after = this.state.job;
    if (before?.kind !== after.kind) {
      setText(find('news'), `The job is ${kinds[after.kind].toLowerCase()}. ${headline(after)}`);
      return;
    }
    const changed = after.tasks.filter((task, n) =>
      before.tasks[n]?.name === task.name && before.tasks[n].kind !== task.kind);
    const news = changed.slice(0, mostNews).map(task => `${task.name}: ${kinds[task.kind].toLowerCase()}.`);
    if (news.length > 0) setText(find('news'), news.join(' '));
  }
}

function showState(job, name) {
  const { kind, status } = job, isPlain = status.toLowerCase() === kinds[kind].toLowerCase();
  const progress = job.progress === null ? null : Math.min(100, Math.max(0, job.progress));
  const shown = progress === null ? '' : percent(progress);
  document.title = `${[kinds[kind], kind === 'running' ? shown : ''].filter(Boolean).join(' ')} · ${name}`;
  find('summary').dataset.kind = kind;
  find('state-icon').setAttribute('href', `#icon-${kind}`);
  setText(find('state-word'), kind === 'unknown' ? status || 'No status' : kinds[kind]);
  setText(find('state-verbatim'), kind === 'unknown' || isPlain ? '' : status);
  setText(find('percent'), shown);
  find('progress').hidden = progress === null;
  find('progress').setAttribute('aria-valuenow', Math.floor(progress ?? 0));
  find('progress').firstChild.style.width = `${progress ?? 0}%`;
  setText(find('headline'), headline(job));
}

function showFacts(job, now) {
  const begin = job.started ?? job.created, isWaiting = job.kind === 'waiting';
  setPairs(find('facts'), [
    [isWaiting ? 'Created' : 'Started', begin && dateAndClock(begin)],
    ['Ended', job.finished && dateAndClock(job.finished)],
    [job.hasEnded ? 'Took' : isWaiting ? 'Waits for' : 'Runs for', begin && duration((job.finished ?? now) - begin)],
    ['Expected', job.estimate && duration(1000 * job.estimate)],
    ['Cost', job.cost],
    ['Created by', job.createdBy],
  ]);
}

function showLegend(job) {
  const numbers = Object.keys(kinds)
    .map(kind => [kind, job.tasks.filter(task => task.kind === kind).length])
    .filter(([, number]) => number > 0)
    .map(([kind, number]) =>
      [kind, `${number} ${kind === 'waiting' && job.hasEnded ? 'not run' : kinds[kind].toLowerCase()}`]);
  setItems(find('legend'), numbers, ([kind, text]) => make('li', { 'data-kind': kind }, icon(kind), text));
}

// What is unusual in the dependencies.
function notes(job, { unknown, circular, left }) {
  const name = index => job.tasks[index].name, [circle] = circular;
  return [
    job.tasks.length === 0 && 'This job names no tasks.',
    job.tasks.length > mostTasks && `The first ${mostTasks} of ${job.tasks.length} tasks are shown.`,
    ...unknown.slice(0, mostUnknown)
      .map(one => `${name(one.task)} depends on “${one.name}”, which is no task of this job.`),
    circle && `Some tasks wait for each other in a circle: ${name(circle.from)} and ${name(circle.to)}.`,
    left > 0 && `${count(left, 'dependency is', 'dependencies are')} not drawn.`,
  ].filter(Boolean).join(' ');
}
