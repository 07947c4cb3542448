// A layered drawing of tasks and their dependencies. Each task is in the layer after the last task that it depends on.
// An edge over several layers gets a bend in each layer between, so that it passes between tasks and not through them.
// The order within a layer follows the average place of the neighbours (barycentre), which avoids most crossings.

// Beyond these numbers, edges are straight, or are left out.
const mostBends = 2000, mostEdges = 2000;

const sweeps = 4;

// The distance from a bend to its neighbour in the layer. The distance of two tasks is 1.
const besideBend = 0.62;

/**
 * @param {{name: string, dependsOn: string[]}[]} tasks
 * @returns nodes: for each task its layer and its place across, from 0; edges: the indexes of both tasks and the points
 *   between them; unknown: dependencies that name no task; circular: edges that close a circle; left: edges left out
 */
export function layout(tasks) {
  const { edges, unknown } = connect(tasks);
  const drawn = edges.slice(0, mostEdges);
  const { layers, circular } = findLayers(tasks.length, edges);
  const bends = addBends(drawn, layers);
  const rows = group([...layers, ...bends.layers]);
  const neighbours = link(drawn, tasks.length + bends.layers.length);
  const order = sort(rows, neighbours);
  const places = place(order, neighbours, item => item >= tasks.length);
  const point = item => ({ layer: item < tasks.length ? layers[item] : bends.layers[item - tasks.length],
    place: places[item] });
  return {
    nodes: tasks.map((_, task) => point(task)),
    edges: drawn.map(edge => ({ from: edge.from, to: edge.to, points: edge.path.map(point) })),
    layers: rows.length,
    breadth: Math.max(0, ...tasks.map((_, task) => places[task] + 1)),
    unknown, circular, left: edges.length - drawn.length,
  };
}

// Finds the tasks that the names mean. If tasks share a name, the name means the first of them.
function connect(tasks) {
  const byName = new Map();
  tasks.forEach((task, index) => byName.has(task.name) || byName.set(task.name, index));
  const edges = [], unknown = [];
  tasks.forEach((task, to) => {
    for (const name of new Set(task.dependsOn)) {
      if (byName.has(name)) edges.push({ from: byName.get(name), to });
      else unknown.push({ task: to, name });
    }
  });
  return { edges, unknown };
}

// The longest path to each task. Edges that close a circle do not count.
function findLayers(count, edges) {
  const next = Array.from({ length: count }, () => []);
  for (const edge of edges) next[edge.from].push(edge);
  const circular = new Set(), done = [], state = new Uint8Array(count);
  for (let root = 0; root < count; root++) {
    if (state[root]) continue;
    // A depth-first search with its own stack, because a chain may be longer than the stack of calls.
    const stack = [{ task: root, step: 0 }];
    state[root] = 1;
    while (stack.length > 0) {
      const top = stack.at(-1), edge = next[top.task][top.step++];
      if (!edge) {
        state[top.task] = 2;
        done.push(top.task);
        stack.pop();
      } else if (state[edge.to] === 1) circular.add(edge);
      else if (state[edge.to] === 0) {
        state[edge.to] = 1;
        stack.push({ task: edge.to, step: 0 });
      }
    }
  }
  const layers = new Array(count).fill(0);
  for (const task of done.reverse()) {
    for (const edge of next[task]) {
      if (!circular.has(edge)) layers[edge.to] = Math.max(layers[edge.to], layers[task] + 1);
    }
  }
  return { layers, circular: [...circular] };
}

// Gives each edge its path: task, bends, task. Returns the layers of the bends.
function addBends(edges, layers) {
  const count = layers.length, found = [];
  for (const edge of edges) {
    const [first, last] = [layers[edge.from] + 1, layers[edge.to]];
    edge.path = [edge.from];
    if (found.length + last - first <= mostBends) {
      for (let layer = first; layer < last; layer++) edge.path.push(count + found.push(layer) - 1);
    }
    edge.path.push(edge.to);
  }
  return { layers: found };
}

function group(layers) {
  const rows = [];
  layers.forEach((layer, item) => (rows[layer] ??= []).push(item));
  return rows;
}

function link(edges, count) {
  const before = Array.from({ length: count }, () => []), after = Array.from({ length: count }, () => []);
  for (const { path } of edges) {
    for (let n = 1; n < path.length; n++) {
      before[path[n]].push(path[n - 1]);
      after[path[n - 1]].push(path[n]);
    }
  }
  return { before, after };
}

function sort(rows, { before, after }) {
  const position = [];
  const number = row => row.forEach((item, n) => position[item] = n);
  rows.forEach(number);
  const sortBy = (row, beside) => {
    const wanted = new Map(row.map(item => [item, average(beside[item], position) ?? position[item]]));
    row.sort((one, other) => wanted.get(one) - wanted.get(other));
    number(row);
  };
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (const row of rows.slice(1)) sortBy(row, before);
    for (const row of rows.slice(0, -1).reverse()) sortBy(row, after);
  }
  return rows;
}

// Places each item near its neighbours, at its distance from the items beside it.
function place(rows, { before, after }, isBend) {
  const places = [];
  const gap = (one, other) => isBend(one) || isBend(other) ? besideBend : 1;
  for (const row of rows) {
    row.forEach((item, n) => places[item] = n === 0 ? 0 : places[row[n - 1]] + gap(row[n - 1], item));
  }
  const middle = row => (places[row[0]] + places[row.at(-1)]) / 2;
  const widest = Math.max(0, ...rows.map(middle));
  for (const row of rows) {
    const shift = widest - middle(row);
    for (const item of row) places[item] += shift;
  }
  const settle = (row, beside) => {
    const offsets = [0];
    for (let n = 1; n < row.length; n++) offsets.push(offsets[n - 1] + gap(row[n - 1], row[n]));
    const wanted = row.map((item, n) => (average(beside(item), places) ?? places[item]) - offsets[n]);
    closestRising(wanted).forEach((start, n) => places[row[n]] = start + offsets[n]);
  };
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (const row of rows.slice(1)) settle(row, item => before[item]);
    for (const row of rows.slice(0, -1).reverse()) settle(row, item => after[item]);
  }
  for (const row of rows) settle(row, item => [...before[item], ...after[item]]);
  const least = places.reduce((low, one) => Math.min(low, one), Infinity);
  return places.map(one => one - least);
}

// The rising numbers that are closest to the given ones (isotonic regression: pool adjacent violators).
function closestRising(numbers) {
  const pools = [];
  for (const number of numbers) {
    pools.push({ sum: number, count: 1 });
    while (pools.length > 1) {
      const [one, other] = pools.slice(-2);
      if (one.sum / one.count <= other.sum / other.count) break;
      pools.splice(-2, 2, { sum: one.sum + other.sum, count: one.count + other.count });
    }
  }
  return pools.flatMap(({ sum, count }) => new Array(count).fill(sum / count));
}

function average(items, values) {
  return items.length === 0 ? null : items.reduce((sum, item) => sum + values[item], 0) / items.length;
}
