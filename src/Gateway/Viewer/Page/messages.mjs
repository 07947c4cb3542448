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
  const errors = [...ofTasks, ...ofJob].slice(0, mostMessages);
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
  const left = all.length - mostMessages;
  const shown = all.slice(0, mostMessages);
  const more = `${count(left, 'more message is', 'more messages are')} in the JSON.`;
  if (left > 0) shown.push({ kind: '', of: '', text: more });
  find('messages-card').hidden = all.length === 0;
  setItems(find('messages'), shown, ({ kind, of, text }) => make('li', { 'data-kind': kind },
    kind ? icon(kind) : make('span', { className: 'icon' }),
    make('div', {}, make('span', { className: 'of', textContent: of }), make('p', { textContent: text }))));
}

// Many tasks may have the same notice.
function notices(job) {
  const tasks = new Map();
  for (const task of job.tasks) {
    for (const note of task.notes) tasks.set(note, [...tasks.get(note) ?? [], task.name]);
  }
  return [...tasks].map(([text, names]) =>
    ({ kind: '', of: names.length > 2 ? count(names.length, 'task') : names.join(', '), text }));
}
