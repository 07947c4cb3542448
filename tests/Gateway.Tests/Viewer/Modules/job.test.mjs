import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brief, headline, kindOf, readJob } from '../../../../src/Gateway/Viewer/Page/job.mjs';

const words = { finished: ['completed', 'success'], failed: ['failed', 'cancelled', 'Expired'] };
const read = body => readJob(JSON.stringify(body), words);

test('a status word has one meaning, in any case', () => {
  const meanings = { COMPLETED: 'done', ' success ': 'done', Failed: 'failed', cancelled: 'stopped', EXPIRED: 'stopped',
    queued: 'waiting', inprogress: 'running', reticulating: 'unknown', '': 'unknown' };
  for (const [word, kind] of Object.entries(meanings)) assert.equal(kindOf(word, words), kind, word);
});

test('progress is a number or a text', () => {
  for (const progress of [45, '45', '45%', '45.0']) assert.equal(read({ progress }).progress, 45);
  for (const progress of ['', 'soon', null, {}, [1]]) assert.equal(read({ progress }).progress, null);
});

test('a job of any form is read', () => {
  for (const body of [null, 1, 'text', [], {}, { tasks: 1 }, { tasks: [null, 1, 'x', [], {}] }, { tasks: [{ name: {},
    status: [], depends_on: 'a', disclaimer: 1, block_info: 'x', progress: {}, finished_at: 1 }], val_errors: 'x' },
  { val_errors: [null, 'text', { err: 1 }] }]) {
    const job = read(body);
    assert.equal(typeof headline(job), 'string');
    for (const task of job.tasks) assert.equal(typeof brief(task, 0), 'string');
  }
});

test('the headline says what failed, what runs, and how much is done', () => {
  const task = (name, status) => ({ name, status });
  assert.equal(headline(read({ status: 'failed', tasks: [task('a', 'completed'), task('b', 'failed')] })),
    'b failed. 1 of 2 tasks is done.');
  const three = [task('a', 'running'), task('b', 'running'), task('c', 'queued')];
  assert.equal(headline(read({ status: 'running', tasks: three })),
    'a and b are running. 0 of 3 tasks are done.');
  assert.equal(headline(read({ status: 'completed', tasks: [task('a', 'completed')] })), 'The task is done.');
});

test('a job has ended when its status is final and its end is set', () => {
  assert.equal(read({ status: 'completed', finished_at: '2025-01-01T00:00:00Z' }).hasEnded, true);
  assert.equal(read({ status: 'completed', finished_at: '' }).hasEnded, false);
  assert.equal(read({ status: 'running', finished_at: '2025-01-01T00:00:00Z' }).hasEnded, false);
});
