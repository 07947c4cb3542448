// How old an answer is and from where it came: the headers Age and Cache-Status (RFC 9211).

/** @returns {{age: number, isStale: boolean, reason: string, text: string, cacheStatus: string}} age in seconds */
export function readOrigin(headers) {
  const cacheStatus = headers.get('Cache-Status') ?? '';
  // A proxy may add its own member before or after that of the gateway.
  const member = cacheStatus.split(',').map(one => one.trim()).find(one => /^gateway\b/i.test(one)) ?? '';
  const parameters = new Map(member.split(';').slice(1).map(one => {
    const [name, value = ''] = one.trim().split('=');
    return [name, value.replace(/^"|"$/g, '')];
  }));
  const isHit = parameters.has('hit');
  const isStale = isHit && Number(parameters.get('ttl')) < 0;
  const reason = parameters.get('detail') ?? '';
  return {
    cacheStatus, isStale, reason,
    age: Math.max(0, Number.parseInt(headers.get('Age') ?? '0', 10) || 0),
    text: isStale ? `an older state in the gateway's cache; the upstream does not answer${reason && ` (${reason})`}`
      : isHit ? 'the gateway\'s cache, which is fresh'
        : parameters.has('collapsed') ? 'the upstream, by a request of another reader at the same time'
          : parameters.has('fwd') ? 'the upstream, asked for this answer' : 'the gateway',
  };
}
