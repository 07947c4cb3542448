import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layout } from '../../../../src/Gateway/Viewer/Page/layout.mjs';

// "b: a" is a task b that depends on a.
const tasks = (...lines) => lines.map(line => {
  const [name, needs = ''] = line.split(':');
  return { name, dependsOn: needs.split(' ').filter(Boolean) };
});

const layersOf = plan => plan.nodes.map(node => node.layer);

function assertApart(plan) {
  const rows = new Map();
  for (const { layer, place } of plan.nodes) rows.set(layer, [...rows.get(layer) ?? [], place]);
  for (const row of rows.values()) {
    row.sort((one, other) => one - other).reduce((before, place) => {
      assert.ok(place - before > 0.99, `two tasks of a layer are ${place - before} apart`);
      return place;
    }, -2);
  }
}

function crossings(plan) {
  const steps = plan.edges.flatMap(edge => edge.points.slice(1).map((to, n) => [edge.points[n], to]));
  let found = 0;
  steps.forEach(([from, to], n) => steps.slice(n + 1).forEach(([from2, to2]) => {
    if (from.layer === from2.layer && (from.place - from2.place) * (to.place - to2.place) < 0) found++;
  }));
  return found;
}

test('a chain is one straight line', () => {
  const plan = layout(tasks('a', 'b: a', 'c: b', 'd: c'));
  assert.deepEqual(layersOf(plan), [0, 1, 2, 3]);
  assert.deepEqual(plan.nodes.map(node => node.place), [0, 0, 0, 0]);
  assert.deepEqual([plan.layers, plan.breadth], [4, 1]);
});

test('the centre of a fan stands before the middle of its tasks', () => {
  const plan = layout(tasks('a', 'b: a', 'c: a', 'd: a'));
  assert.deepEqual(layersOf(plan), [0, 1, 1, 1]);
  assert.deepEqual(plan.nodes.map(node => node.place), [1, 0, 1, 2]);
  assertApart(plan);
});

test('the ends of a diamond stand in the middle', () => {
  const plan = layout(tasks('a', 'b: a', 'c: a', 'd: b c'));
  assert.deepEqual(layersOf(plan), [0, 1, 1, 2]);
  assert.deepEqual(plan.nodes.map(node => node.place), [0.5, 0, 1, 0.5]);
});

test('the layer of a task follows its longest path, and a long edge passes beside the tasks between', () => {
  const plan = layout(tasks('a', 'b: a', 'c: b', 'd: c a'));
  assert.deepEqual(layersOf(plan), [0, 1, 2, 3]);
  const long = plan.edges.find(edge => edge.from === 0 && edge.to === 3);
  assert.deepEqual(long.points.map(point => point.layer), [0, 1, 2, 3]);
  for (const point of long.points.slice(1, -1)) {
    const task = plan.nodes.find(node => node.layer === point.layer);
    assert.ok(Math.abs(point.place - task.place) > 0.5);
  }
});

test('tasks in a poor order are sorted so that no edges cross', () => {
  assert.equal(crossings(layout(tasks('a', 'b', 'c', 'x: c', 'y: a', 'z: b', 'p: z', 'q: x', 'r: y'))), 0);
});

test('a circle ends, keeps each task, and is reported', () => {
  const plan = layout(tasks('start', 'a: start c', 'b: a', 'c: b', 'end: c'));
  assert.equal(plan.nodes.length, 5);
  assert.equal(plan.circular.length, 1);
  assert.deepEqual(layersOf(plan), [0, 1, 2, 3, 4]);
});

test('a task that depends on itself, and a job that is one circle, end', () => {
  assert.equal(layout(tasks('a: a')).circular.length, 1);
  assert.equal(layout(tasks('a: b', 'b: a')).circular.length, 1);
  assert.equal(layout(tasks('a: a b', 'b: a b', 'c: a c')).nodes.length, 3);
});

test('a dependency on an unknown task is reported, and draws no edge', () => {
  const plan = layout(tasks('a: ghost', 'b: a'));
  assert.deepEqual(plan.unknown, [{ task: 0, name: 'ghost' }]);
  assert.equal(plan.edges.length, 1);
});

test('tasks of the same name keep their places', () => {
  const plan = layout(tasks('a', 'a', 'b: a', 'b: a'));
  assertApart(plan);
  assert.deepEqual(plan.edges.map(edge => edge.from), [0, 0]);
});

test('a job without tasks has an empty drawing', () => {
  assert.deepEqual(layout([]), { nodes: [], edges: [], layers: 0, breadth: 0, unknown: [], circular: [], left: 0 });
});

for (const [kind, needs] of [
  ['in a chain', n => n > 0 ? [n - 1] : []],
  ['in layers of ten', n => n < 10 ? [] : [n - 10, n - 10 + (n * 7) % 10, Math.max(0, n - 35)]],
  ['that all depend on all earlier ones', n => Array.from({ length: n }, (_, m) => m)],
  ['that depend on all others', n => Array.from({ length: 500 }, (_, m) => m)],
  ['side by side', () => []],
]) {
  test(`500 tasks ${kind} are laid out within two seconds`, () => {
    const many = Array.from({ length: 500 }, (_, n) => ({ name: `t${n}`, dependsOn: needs(n).map(m => `t${m}`) }));
    const before = performance.now();
    const plan = layout(many);
    assert.ok(performance.now() - before < 2000, `${performance.now() - before} ms`);
    assert.equal(plan.nodes.length, 500);
    assert.ok(plan.nodes.every(node => Number.isFinite(node.place) && node.place >= 0));
    assertApart(plan);
    assert.ok(plan.edges.length <= 2000);
  });
}
