/**
 * The script of the pages. What is there without it stays; it adds what moves: a run and its report as they go on,
 * times that count, lists that keep up, addresses to copy.
 */
import { durationText } from '../amounts.ts';
import { followRun } from './live.ts';
import { replaceMain } from './replace.ts';

const TICK_MS = 1_000;
const REFRESH_MS = 5_000;

document.documentElement.classList.add('scripts');
followRun();
setInterval(tick, TICK_MS);
setInterval(() => {
  // nobody's choice in a form is taken away
  if (document.querySelector('[data-refresh]') && !document.hidden && !document.querySelector('main form:focus-within'))
    void replaceMain();
}, REFRESH_MS);
document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-copy]') : null;
  if (button) void copy(button);
});

// the server's clock counts: the page says what it was when it was made
function tick(): void {
  for (const element of document.querySelectorAll<HTMLElement>('[data-since]')) {
    const ahead = Number((element.dataset.ahead ??= String(Date.now() - Number(element.dataset.now))));
    element.textContent = durationText(Date.now() - ahead - Number(element.dataset.since));
  }
}

async function copy(button: HTMLElement): Promise<void> {
  const field = document.querySelector<HTMLInputElement>(`#${button.dataset.copy}`);
  if (!field) return;
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = 'Copied';
  } catch {
    // not allowed here: the address is selected, which is half the way
    button.textContent = 'Selected';
  }
}
