/** Shows the page as the server would make it now, in place: focus, open details and the reader's place stay. */

let underway: Promise<void> | null = null;
let wantedAgain = false;

/** Fetches the page anew and puts its `<main>` in place of the one there; calls during one make one more. */
export function replaceMain(): Promise<void> {
  if (underway) wantedAgain = true;
  underway ??= replace().finally(() => {
    underway = null;
    if (wantedAgain) {
      wantedAgain = false;
      void replaceMain();
    }
  });
  return underway;
}

async function replace(): Promise<void> {
  let text: string;
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' } });
    // signed out meanwhile, or the finished report instead: that is another page
    if (response.redirected) return location.assign(response.url);
    if (!response.ok) return;
    text = await response.text();
  } catch {
    // the service is away; the next event asks again
    return;
  }
  const made = new DOMParser().parseFromString(text, 'text/html').querySelector('main');
  const old = document.querySelector('main');
  if (!made || !old) return;
  for (const { id } of old.querySelectorAll<HTMLDetailsElement>('details[open]'))
    if (id !== '') made.querySelector(`#${CSS.escape(id)}`)?.setAttribute('open', '');
  const focused = old.contains(document.activeElement) ? keyOf(document.activeElement!) : null;
  old.replaceWith(document.adoptNode(made));
  if (focused === null) return;
  // what had the focus may be gone: then the reader is at the top of the content, not of the page
  const same = [...made.querySelectorAll<HTMLElement>('a, button, input, select, textarea, summary, [tabindex]')];
  (same.find((element) => keyOf(element) === focused) ?? made).focus({ preventScroll: true });
}

// by what an element is told from others of its kind
function keyOf(element: Element): string {
  return [element.tagName, element.id, element.getAttribute('href'), element.getAttribute('aria-label')].join(' ');
}
