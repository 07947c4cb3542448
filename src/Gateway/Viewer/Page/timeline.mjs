// The tasks on a time line, in the order in which they started.

import { brief, kinds } from './job.mjs';
import { clock, duration } from './format.mjs';
import { icon, make, setText } from './dom.mjs';
import { mostTasks } from './graph.mjs';

// The distances between marks, in seconds.
const steps = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800,
];

// The least room for a mark, in pixels.
const markWidth = 140;

export class Timeline {
  #place;
  #job = null;
  #rows = [];
  #key = '';
  #now = 0;
  #isNew = true;
  #axis = make('ol', { className: 'axis', 'aria-hidden': 'true' });
  #list = make('ol', { className: 'rows' });
  #empty = make('p', { className: 'hint', textContent: 'No task has a time yet.' });

  constructor(place) {
    this.#place = place;
    place.append(this.#empty, this.#axis, this.#list);
    new ResizeObserver(() => this.#job && this.tick(this.#now)).observe(place);
  }

  /** Shows another job next. */
  open() {
    this.#isNew = true;
  }

  show(job, now) {
    this.#job = job;
    const order = job.tasks.slice(0, mostTasks).map((_, index) => index).sort((one, other) =>
      (job.tasks[one].start ?? Infinity) - (job.tasks[other].start ?? Infinity) || one - other);
    const key = JSON.stringify(order.map(index => [index, job.tasks[index].name]));
    if (key !== this.#key) {
      this.#key = key;
      this.#rows = order.map(index => this.#row(index));
      this.#list.replaceChildren(...this.#rows.map(row => row.item));
    }
    this.tick(now);
  }

  tick(now) {
    this.#now = now;
    const { tasks, hasEnded, started, created } = this.#job;
    const begins = [started ?? created, ...tasks.map(task => task.start)].filter(time => time !== null && time <= now);
    const ends = [this.#job.finished, ...tasks.map(task => task.end)].filter(time => time !== null);
    const from = Math.min(...begins), to = Math.max(from + 1000, ...ends, hasEnded ? 0 : now);
    const isEmpty = begins.length === 0;
    this.#empty.hidden = !isEmpty;
    this.#axis.hidden = this.#list.hidden = isEmpty;
    if (isEmpty) return;
    this.#marks(from, to);
    const share = time => 100 * Math.min(1, Math.max(0, (time - from) / (to - from)));
    for (const row of this.#rows) {
      const task = tasks[row.index], end = task.end ?? now, hasBar = task.start !== null && end >= task.start;
      row.item.dataset.kind = task.kind;
      row.use.setAttribute('href', `#icon-${task.kind}`);
      row.bar.hidden = !hasBar;
      const [left, right] = hasBar ? [share(task.start), share(end)] : [0, 0];
      row.bar.style.left = `${left}%`;
      row.bar.style.width = `${right - left}%`;
      const text = hasBar ? duration(end - task.start) : brief(task, now);
      setText(row.text, text);
      // The text stands beside the bar where there is more room.
      const isBefore = hasBar && right > 70 && left > 100 - right;
      row.text.style.left = isBefore ? 'auto' : `${right}%`;
      row.text.style.right = isBefore ? `${100 - left}%` : 'auto';
      row.text.classList.toggle('inside', hasBar && right > 70 && !isBefore);
      setText(row.spoken, hasBar ? `${kinds[task.kind]}, started ${clock(task.start)}${task.end
        ? `, ended ${clock(task.end)}` : ''}, ` : `${kinds[task.kind]}, `);
    }
    this.#revealWork();
  }

  // A long time line begins where the work is, like the drawing. After that, the reader scrolls it.
  #revealWork() {
    if (!this.#isNew || this.#place.clientHeight === 0) return;
    this.#isNew = false;
    const of = kind => this.#rows.find(row => this.#job.tasks[row.index].kind === kind);
    const row = of('failed') ?? of('running');
    this.#place.scrollTop = row ? row.item.offsetTop - this.#place.clientHeight / 2 : 0;
  }

  #row(index) {
    const image = icon('unknown'), bar = make('span', { className: 'bar' });
    const text = make('span', { className: 'length' }), spoken = make('span', { className: 'unseen' });
    const item = make('li', {},
      make('span', { className: 'name' }, image, make('span', { textContent: this.#job.tasks[index].name }), ' '),
      spoken, make('span', { className: 'track' }, bar, text));
    return { index, item, bar, text, spoken, use: image.firstChild };
  }

  #marks(from, to) {
    const length = (to - from) / 1000, marks = Math.max(2, this.#axis.clientWidth / markWidth);
    const step = steps.find(one => length / one <= marks) ?? length;
    const times = [];
    for (let time = 0; time <= length; time += step) times.push(time);
    while (this.#axis.children.length > times.length) this.#axis.lastChild.remove();
    times.forEach((time, n) => {
      const mark = this.#axis.children[n] ?? this.#axis.appendChild(make('li', {}, make('span')));
      mark.style.left = `${100 * time / length}%`;
      setText(mark.firstChild, n === 0 ? clock(from) : `+${duration(1000 * time)}`);
      mark.classList.toggle('last', time / length > 0.9);
    });
  }
}
