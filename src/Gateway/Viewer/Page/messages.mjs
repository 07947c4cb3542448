// What the tasks say: errors with their reasons, and messages.

import { find, icon, make, setItems } from './dom.mjs';
import { count } from './format.mjs';

const mostMessages = 100;

/** @param {(task: number) => void} choose called when the reader chooses a task */
export function showErrors(job, choose) {
  const ofTasks = job.tasks.filter(task => task.kind === 'failed' || task.error.length > 0).map(task => ({
    task: task.index,
    title: task.name,
    text: task.error.length > 0 ? task.error : [task.message || 'No reason is given.'],
  }));
  const ofJob = job.errors.map(({ component, from, to, text }) => ({
    task: -1,
    title: [component, [from, to].filter(Boolean).join(' → ')].filter(Boolean).join(': '),
    text,
  }));
  const all = [...ofTasks, ...ofJob], errors = all.slice(0, mostMessages), left = all.length - errors.length;
  if (left > 0) errors.push({ task: -1, title: '', text: [more(left, 'error')] });
  find('failure').hidden = errors.length === 0;
  setItems(find('errors'), errors, ({ task, title, text: [first = '', ...more] }) => {
    const name = task < 0 ? make('span', { className: 'of', textContent: title })
      : make('button', { type: 'button', className: 'of', textContent: title });
    if (task >= 0) name.addEventListener('click', () => choose(task));
    return make('li', {}, icon('failed'), make('div', {},
      name, make('p', { className: 'reason', textContent: first }),
      ...more.map(one => make('p', { className: 'detail', textContent: one }))));
  });
}

export function showMessages(job) {
  const ofTasks = job.tasks.filter(task => task.message && task.message.toLowerCase() !== task.status.toLowerCase())
    .map(task => ({ kind: task.kind, of: task.name, text: task.message }));
  const all = [...ofTasks, ...notices(job)];
  const shown = all.slice(0, mostMessages), left = all.length - shown.length;
  if (left > 0) shown.push({ kind: '', of: '', text: more(left, 'message') });
  find('messages-card').hidden = all.length === 0;
  setItems(find('messages'), shown, ({ kind, of, text }) => make('li', { 'data-kind': kind },
    kind ? icon(kind) : make('span', { className: 'icon' }),
    make('div', {}, make('span', { className: 'of', textContent: of }), make('p', { textContent: text }))));
}

const more = (left, what) => `${count(left, `more ${what} is`, `more ${what}s are`)} in the JSON.`;

// Many tasks may have the same notice.
function notices(job) {
  const tasks = new Map();
  for (const task of job.tasks) {
    for (const note of new Set(task.notes)) {
      if (tasks.has(note)) tasks.get(note).push(task.name);
      else tasks.set(note, [task.name]);
    }
  }
  return [...tasks].map(([text, names]) =>
    ({ kind: '', of: names.length > 2 ? count(names.length, 'task') : names.join(', '), text }));
}
