// The graph of the tasks: buttons for the tasks, above a drawing of the edges. Layers go from left to right, or from
// top to bottom where that fits a narrow page better.

import { brief, kinds } from './job.mjs';
import { icon, make, makeSvg, setText } from './dom.mjs';
import { layout } from './layout.mjs';

export const mostTasks = 1000;

// Sizes in pixels.
const padding = 4;
const across = { widest: 184, narrowest: 122, height: 60, gap: 14, leastGap: 26, mostGap: 48 };
const down = { widest: 184, narrowest: 92, height: 66, gap: 8, layerGap: 30 };

export class Graph {
  #place;
  #choose;
  #tasks = [];
  #plan = null;
  #nodes = [];
  #edges = [];
  #structure = '';
  #size = '';
  #chosen = -1;
  #now = 0;

  /** @param {(index: number) => void} choose called when the reader chooses a task */
  constructor(place, choose) {
    this.#place = place;
    this.#choose = choose;
    place.addEventListener('keydown', event => this.#move(event));
    // The place has no width until the page shows the job.
    new ResizeObserver(() => {
      this.#draw();
      this.#revealWork();
    }).observe(place);
  }

  /** The plan of the drawing, with what is wrong in the dependencies. */
  get plan() {
    return this.#plan;
  }

  show(tasks, now) {
    this.#tasks = tasks.slice(0, mostTasks);
    const structure = JSON.stringify(this.#tasks.map(task => [task.name, task.dependsOn]));
    if (structure !== this.#structure) {
      this.#structure = structure;
      this.#plan = layout(this.#tasks);
      this.#size = '';
      this.#draw();
    }
    this.tick(now);
  }

  tick(now) {
    this.#now = now;
    this.#nodes.forEach((node, index) => {
      const task = this.#tasks[index], text = brief(task, now);
      node.button.dataset.kind = task.kind;
      node.use.setAttribute('href', `#icon-${task.kind}`);
      setText(node.brief, text);
      setText(node.spoken, text.startsWith(kinds[task.kind].toLowerCase()) ? ', ' : `, ${kinds[task.kind]}, `);
      node.bar.style.width = `${task.kind === 'running' ? Math.min(100, Math.max(0, task.progress ?? 0)) : 0}%`;
    });
    this.#edges.forEach(({ path, from }) => path.classList.toggle('passed', this.#tasks[from].kind === 'done'));
  }

  mark(chosen) {
    this.#chosen = chosen;
    this.#nodes.forEach(({ button }, index) => button.setAttribute('aria-pressed', index === chosen));
    this.#edges.forEach(({ path, from, to }) => path.classList.toggle('near', from === chosen || to === chosen));
    if (chosen >= 0) this.#reach(chosen);
  }

  focus(index) {
    this.#nodes[index]?.button.focus();
  }

  /** Scrolls the drawing, but not the page, until the task is visible. */
  reveal(index) {
    if (!this.#nodes[index]) return;
    const task = this.#nodes[index].button.getBoundingClientRect(), view = this.#place.getBoundingClientRect();
    const way = (start, end) => task[start] >= view[start] && task[end] <= view[end] ? 0
      : (task[start] + task[end] - view[start] - view[end]) / 2;
    this.#place.scrollBy(way('left', 'right'), way('top', 'bottom'));
  }

  // A large drawing begins where the work is.
  #revealWork() {
    this.reveal(this.#chosen >= 0 ? this.#chosen : this.#tasks.findIndex(task => task.kind === 'running'));
  }

  // Chooses sizes and a direction by the width of the page.
  #measure() {
    const width = this.#place.clientWidth - 2 * padding, { layers, breadth } = this.#plan;
    const node = Math.floor((width - (layers - 1) * across.leastGap) / layers);
    const narrow = Math.min(down.widest, Math.floor((width + down.gap) / breadth) - down.gap);
    const isAcross = node >= across.narrowest || narrow < down.narrowest;
    if (!isAcross) return { isAcross, width: narrow, height: down.height, step: narrow + down.gap, gap: down.layerGap };
    const used = Math.min(across.widest, Math.max(across.narrowest, node));
    const gap = Math.floor((width - layers * used) / Math.max(1, layers - 1));
    return { isAcross, width: used, height: across.height, step: across.height + across.gap,
      gap: Math.min(across.mostGap, Math.max(across.leastGap, gap)) };
  }

  #draw() {
    if (!this.#plan || this.#place.clientWidth === 0) return;
    const size = this.#measure(), key = JSON.stringify(size);
    if (key === this.#size) return;
    this.#size = key;
    const focused = this.#nodes.findIndex(({ button }) => button === document.activeElement);
    const { isAcross, width, height, step, gap } = size;
    const layer = at => padding + at.layer * ((isAcross ? width : height) + gap);
    const place = at => padding + at.place * step;
    const long = padding * 2 + this.#plan.layers * ((isAcross ? width : height) + gap) - gap;
    const broad = padding * 2 + (this.#plan.breadth - 1) * step + (isAcross ? height : width);
    const [w, h] = isAcross ? [long, broad] : [broad, long];

    const drawing = makeSvg('svg', { width: w, height: h, 'aria-hidden': 'true' });
    this.#edges = this.#plan.edges.filter(edge => edge.from !== edge.to).map(({ from, to, points }) => {
      const path = makeSvg('path', { d: this.#curve(points, size, layer, place), 'marker-end': 'url(#arrow)' });
      drawing.append(path);
      return { path, from, to };
    });
    this.#nodes = this.#plan.nodes.map((at, index) => this.#node(index, isAcross ? [layer(at), place(at)]
      : [place(at), layer(at)], width, height));
    const sheet = make('div', { className: 'sheet' }, drawing, ...this.#nodes.map(node => node.button));
    sheet.style.width = `${w}px`;
    sheet.style.height = `${h}px`;
    this.#place.replaceChildren(sheet);
    this.mark(this.#chosen);
    if (this.#chosen < 0) this.#reach(0);
    this.tick(this.#now);
    this.#revealWork();
    if (focused >= 0) this.focus(focused);
  }

  #node(index, [x, y], width, height) {
    const image = icon('unknown');
    const name = make('span', { className: 'name', textContent: this.#tasks[index].name });
    const text = make('span', { className: 'brief' }), bar = make('span', { className: 'bar' });
    // The icon shows the state, so a screen reader says it.
    const spoken = make('span', { className: 'unseen' });
    const button = make('button', { type: 'button', className: 'node', title: this.#tasks[index].name },
      name, spoken, image, text, bar);
    button.classList.toggle('narrow', width < across.narrowest);
    Object.assign(button.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
    button.addEventListener('click', () => this.#choose(index));
    return { button, brief: text, bar, spoken, use: image.firstChild };
  }

  // From the side of the first task, straight through the layers of bends, to the side of the last task.
  #curve(points, { isAcross, width, height, gap }, layer, place) {
    const thick = isAcross ? width : height, middle = (isAcross ? height : width) / 2;
    const stops = points.flatMap((at, n) => {
      const [start, end] = [layer(at), layer(at) + thick], side = place(at) + middle;
      return n === 0 ? [[end, side]] : n === points.length - 1 ? [[start, side]] : [[start, side], [end, side]];
    });
    const text = (along, side) => isAcross ? `${along.toFixed(1)} ${side.toFixed(1)}`
      : `${side.toFixed(1)} ${along.toFixed(1)}`;
    return stops.map(([along, side], n) => {
      if (n === 0) return `M${text(along, side)}`;
      const [before, sideBefore] = stops[n - 1];
      // An edge that closes a circle goes back, so it leaves and arrives in a wide curve.
      const reach = along > before ? (along - before) / 2 : gap;
      return side === sideBefore && along > before ? `L${text(along, side)}`
        : `C${text(before + reach, sideBefore)} ${text(along - reach, side)} ${text(along, side)}`;
    }).join('');
  }

  // One task is in the order of the Tab key; the arrow keys go to the others.
  #reach(index) {
    this.#nodes.forEach(({ button }, n) => button.tabIndex = n === index ? 0 : -1);
  }

  #move(event) {
    const from = this.#nodes.findIndex(({ button }) => button === event.target);
    if (from < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const isAcross = JSON.parse(this.#size).isAcross;
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key] && (isAcross ? ways[event.key] : ways[event.key].toReversed());
    const to = event.key === 'Home' ? this.#extreme(1) : event.key === 'End' ? this.#extreme(-1)
      : way ? this.#beside(from, way) : -1;
    if (to < 0) return;
    event.preventDefault();
    this.#reach(to);
    this.focus(to);
  }

  #extreme(sign) {
    const order = this.#plan.nodes.map((at, index) => ({ ...at, index }))
      .sort((one, other) => sign * (one.layer - other.layer || one.place - other.place));
    return order[0]?.index ?? -1;
  }

  // The nearest task in the next layer, or the next task in the same layer.
  #beside(from, [layers, places]) {
    const start = this.#plan.nodes[from];
    let best = -1, least = Infinity;
    this.#plan.nodes.forEach((at, index) => {
      const distance = at.place - start.place;
      const fits = layers ? at.layer === start.layer + layers : at.layer === start.layer && distance * places > 0;
      if (fits && Math.abs(distance) < least) [best, least] = [index, Math.abs(distance)];
    });
    return best;
  }
}
