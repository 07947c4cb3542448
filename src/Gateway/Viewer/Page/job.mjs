// Reads a job. All of it is untrusted: any field may be missing or of any type.

import { count, duration, LongInteger, parse, percent, readTime } from './format.mjs';

const waiting = ['created', 'queued', 'pending', 'waiting', 'scheduled', 'accepted'];
const running = ['running', 'inprogress', 'in_progress', 'in progress', 'started', 'processing'];

/** What a status means, as a person reads it. */
export const kinds = {
  waiting: 'Waiting', running: 'Running', done: 'Done', failed: 'Failed', stopped: 'Stopped', unknown: 'Unknown',
};

/**
 * @param {string} text the body of the job
 * @param {{finished: string[], failed: string[]}} words the status words that mean success and failure
 */
export function readJob(text, words) {
  const body = object(parse(text));
  const tasks = list(body.tasks).map((task, index) => readTask(object(task), index, words));
  const status = string(body.status);
  const finished = readTime(body.finished_at);
  // The last time that anything in the job names: the job is at least as new as that.
  const times = [body.updated_at, body.exec_updated_at].map(readTime);
  const job = {
    body, tasks, status, kind: kindOf(status, words), finished,
    progress: number(body.progress),
    started: readTime(body.exec_created_at) ?? readTime(body.created_at),
    created: readTime(body.created_at),
    createdBy: string(body.created_by),
    cost: string(body.cost),
    estimate: number(body.estimated_duration),
    latest: Math.max(0, ...[...times, finished, ...tasks.flatMap(task => [task.updated, task.end])].filter(Boolean)),
    errors: list(body.val_errors).map(readError).filter(Boolean),
  };
  job.hasEnded = finished !== null && ['done', 'failed', 'stopped'].includes(job.kind);
  for (const task of tasks) task.isSkipped = job.hasEnded && task.kind === 'waiting';
  return job;
}

function readTask(body, index, words) {
  const status = string(body.status);
  const block = object(body.block_info);
  const kind = kindOf(status, words);
  const hasEnded = ['done', 'failed', 'stopped'].includes(kind);
  const finished = readTime(body.finished_at);
  const end = readTime(body.block_inf_end_time) ?? finished ?? readTime(body.send_time);
  return {
    body, index, status, kind, hasEnded,
    name: string(body.name) || string(body.id) || `task ${index + 1}`,
    progress: number(body.progress),
    message: string(body.state_msg),
    error: [string(body.err_msg), string(body.failure_type)].filter(Boolean),
    start: readTime(body.block_inf_start_time) ?? readTime(body.recv_time) ?? (finished && readTime(body.created_at)),
    end: hasEnded ? end ?? readTime(body.updated_at) : null,
    updated: readTime(body.updated_at),
    estimate: number(body.estimated_time_duration),
    dependsOn: list(body.depends_on).map(string).filter(Boolean),
    notes: list(body.disclaimer).map(string).filter(Boolean),
    block: [string(block.name), string(block.version)].filter(Boolean).join(' '),
  };
}

function readError(value) {
  const body = object(value);
  const error = {
    from: string(body.from), to: string(body.to), component: string(body.component_name),
    text: [string(body.err), string(body.reason)].filter(Boolean),
  };
  if (error.text.length === 0 && typeof value === 'string') error.text = [value];
  return error.text.length > 0 || error.from || error.to ? error : null;
}

export function kindOf(status, words) {
  const word = status.trim().toLowerCase(), is = one => one.toLowerCase() === word;
  if (words.finished.some(is)) return 'done';
  if (words.failed.some(is)) return /cancel|expire|abort|stop/.test(word) ? 'stopped' : 'failed';
  return waiting.includes(word) ? 'waiting' : running.includes(word) ? 'running' : 'unknown';
}

/** The state of a job in a sentence or two. */
export function headline(job) {
  const of = kind => job.tasks.filter(task => task.kind === kind);
  const [done, active, failed] = [of('done'), of('running'), of('failed')];
  const total = job.tasks.length;
  const everything = total === 1 ? 'The task is' : `All ${total} tasks are`;
  const progress = total === 0 ? '' : done.length === total ? `${everything} done.`
    : `${done.length} of ${count(total, 'task')} ${done.length === 1 ? 'is' : 'are'} done.`;
  if (job.kind === 'failed') {
    const reason = failed.length > 0 ? `${names(failed)} failed.` : 'The job failed.';
    return `${reason} ${progress}`.trim();
  }
  if (job.kind === 'stopped') return `The job ended before it was complete. ${progress}`.trim();
  if (failed.length > 0) return `${names(failed)} failed, and the job has not ended. ${progress}`.trim();
  if (job.kind === 'done') return progress || 'The job is complete.';
  if (active.length > 0) return `${names(active)} ${active.length === 1 ? 'is' : 'are'} running. ${progress}`.trim();
  return job.kind === 'waiting' ? `The job waits to start. ${progress}`.trim() : progress;
}

/** The state of a task in a few words. */
export function brief(task, now) {
  const took = task.start !== null && (task.end ?? now) >= task.start ? duration((task.end ?? now) - task.start) : '';
  if (task.kind === 'running') return [percent(task.progress ?? 0), took].filter(Boolean).join(' · ');
  if (task.kind === 'unknown') return task.status || 'no status';
  if (task.kind === 'waiting') return task.isSkipped ? 'not run' : 'waiting';
  return task.kind === 'done' && took ? took : kinds[task.kind].toLowerCase();
}

function names(tasks) {
  const first = tasks.slice(0, 3).map(task => task.name);
  if (tasks.length > 3) return `${first.join(', ')} and ${tasks.length - 3} more`;
  return first.length < 2 ? first.join() : `${first.slice(0, -1).join(', ')} and ${first.at(-1)}`;
}

const list = value => Array.isArray(value) ? value : [];
const object = value => value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};
const string = value =>
  ['string', 'number'].includes(typeof value) || value instanceof LongInteger ? String(value) : '';

// Progress comes as a number, "45", "45%" or "45.0".
function number(value) {
  const parsed = typeof value === 'number' ? value : typeof value === 'string' ? Number.parseFloat(value) : NaN;
  return Number.isFinite(parsed) ? parsed : null;
}
