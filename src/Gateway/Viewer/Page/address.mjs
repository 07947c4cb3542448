// The address of a job, as a person may enter it.

const identifier = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;

/**
 * Reads the two fields of the form. The first may also hold `WF/JOB`, or the address of a job or of its page.
 * @returns {{workflow: string, job: string} | null} null if they are not identifiers
 */
export function readAddress(workflow, job) {
  workflow = decoded(workflow.trim());
  job = job.trim();
  const whole = /(?:^|\/)workflows\/([^/?#]+)\/jobs\/([^/?#]+)/i.exec(workflow) ?? /^([^/]+)\/([^/]+)$/.exec(workflow);
  if (whole) [, workflow, job] = whole;
  return identifier.test(workflow) && identifier.test(job) ? { workflow, job } : null;
}

// Some programs encode a tilde in an address.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
