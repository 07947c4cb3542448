// Time since a moment, in milliseconds. While the computer sleeps, performance.now() may stand still. Date.now() may be
// set back. So the longer of the two times counts.

export const moment = () => ({ steady: performance.now(), wall: Date.now() });

export const since = ({ steady, wall }) => Math.max(performance.now() - steady, Date.now() - wall);
