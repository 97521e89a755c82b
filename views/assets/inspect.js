/*
 * The page is whole without this. It only moves the times on, says when a token expires while somebody looks at it, and
 * lets Ctrl+Enter send the form. It loads nothing and sends nothing; the page's policy would not let it.
 */
const UNITS = [
  ['year', 31_536_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

/** As `fromNow` in core/durations.ts. */
function fromNow(seconds) {
  let rest = Math.floor(Math.abs(seconds));
  if (rest === 0) return 'now';
  const first = UNITS.findIndex(([, size]) => rest >= size);
  const words = UNITS.slice(first, first + 2).flatMap(([name, size]) => {
    const count = Math.floor(rest / size);
    rest %= size;
    return count === 0 ? [] : [`${count} ${name}${count === 1 ? '' : 's'}`];
  });
  return seconds < 0 ? `${words.join(' ')} ago` : `in ${words.join(' ')}`;
}

const verdict = document.querySelector('.verdict');
if (verdict) {
  // the time of the server, moved on by the clock of this device, which may be wrong itself
  const opened = Date.now(); // oxlint-disable-line no-restricted-properties -- a browser has no Clock
  const elapsed = () => Date.now() - opened; // oxlint-disable-line no-restricted-properties -- as above
  const tick = () => {
    const now = Number(verdict.dataset.now) + elapsed();
    for (const moment of document.querySelectorAll('[data-at]')) {
      const words = fromNow((Number(moment.dataset.at) - now) / 1000);
      if (moment.textContent !== words) moment.textContent = words;
    }
    if (Number(verdict.dataset.expires) <= now) verdict.querySelector('.expired').hidden = false;
  };
  setInterval(tick, 1000);
}

document.querySelector('textarea').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.target.form.requestSubmit();
});
