/** A run as it goes on: its events, as the server sends them, fold into the same view the server made the page from. */
import type { RunEvent } from '../../documents.ts';
import { clockText, leftText } from '../amounts.ts';
import { follow, MOST_LINES, nothingYet, secondsLeftOf, stagesOf } from '../follow.ts';
import type { Followed } from '../follow.ts';
import { STAGE_MARKS } from '../stageMarks.ts';
import { replaceMain } from './replace.ts';
import { drawTimeline } from './timeline.ts';

const TYPES = ['state', 'stage', 'tasks', 'task', 'layer'] as const;
/** Between two drawings. */
const DRAWN_EVERY_MS = 200;
/** Notices come after the end; then nobody needs the connection. */
const QUIET_AFTER_END_MS = 30_000;
/** After the service refused, such as while it starts. */
const REFUSED_AGAIN_MS = 3_000;

const page = (): HTMLElement | null => document.querySelector<HTMLElement>('main [data-live]');

/** Follows the run of this page, where it is one. */
export function followRun(): void {
  const id = page()?.dataset.run;
  if (id === undefined) return;
  const run = nothingYet();
  let drawing: number | undefined;
  let quiet: number | undefined;
  let source: EventSource;
  const draw = (): void => {
    drawing = undefined;
    // until the page's own last event is there, the page knows more than this
    if (run.last >= Number(page()?.dataset.last)) show(run);
  };
  const take = (event: RunEvent): void => {
    const before = run.last;
    follow(run, event);
    if (run.last === before) return;
    drawing ??= window.setTimeout(draw, DRAWN_EVERY_MS);
    if (run.last > Number(page()?.dataset.last) && (event.type === 'state' || isReport(event)))
      void replaceMain().then(() => {
        show(run);
        if (event.type === 'state') say(`Run ${event.state}`);
      });
    window.clearTimeout(quiet);
    if (run.state !== 'queued' && run.state !== 'running')
      quiet = window.setTimeout(() => source.close(), QUIET_AFTER_END_MS);
  };
  const open = (): void => {
    source = new EventSource(`/runs/${id}/events`);
    for (const type of TYPES)
      source.addEventListener(type, (message) => take(JSON.parse((message as MessageEvent<string>).data) as RunEvent));
    source.addEventListener('error', () => {
      // a lost connection comes back by itself; one that was refused does not, and the page says why
      if (source.readyState !== EventSource.CLOSED) return;
      void replaceMain();
      window.setTimeout(open, REFUSED_AGAIN_MS);
    });
  };
  open();
  document.addEventListener('click', (event) => {
    if (event.target instanceof Element && event.target.matches('[data-pause]')) pause(event.target, run);
  });
}

// on the page of the report, every layer changes the page
const isReport = ({ type }: RunEvent): boolean => type === 'layer' && page()?.dataset.live === 'report';

let paused = false;

function show(run: Followed): void {
  if (page()?.dataset.live !== 'run') return;
  showStages(run);
  showLog(run);
  const place = document.querySelector<HTMLElement>('[data-timeline]');
  if (place) drawTimeline(place, run);
}

function showStages(run: Followed): void {
  const { planned, gated } = page()!.dataset;
  for (const row of stagesOf(run, { planned: planned === 'yes', gated: gated === 'yes' })) {
    const item = document.querySelector<HTMLElement>(`[data-stage="${row.name}"]`);
    if (!item) continue;
    const { mark, word } = STAGE_MARKS[row.state];
    const share = row.total !== null && row.total > 0 ? row.done / row.total : row.state === 'done' ? 1 : 0;
    item.dataset.state = row.state;
    item.querySelector('.mark')!.textContent = mark;
    item.querySelector('progress')!.value = share;
    item.querySelector('.count')!.textContent = row.total === null ? word : `${row.done} / ${row.total}`;
    item.querySelector('.text')!.textContent = row.text;
  }
  const left = secondsLeftOf(run);
  document.querySelector('[data-left]')!.textContent = left === null ? '' : leftText(left);
}

function showLog(run: Followed): void {
  const list = document.querySelector<HTMLElement>('[data-log]');
  if (!list) return;
  if (paused) {
    list.tabIndex = 0;
    const button = document.querySelector('[data-pause]');
    if (button) {
      button.setAttribute('aria-pressed', 'true');
      button.textContent = 'Go on';
    }
    return;
  }
  const shown = Number((list.firstElementChild as HTMLElement | null)?.dataset.event ?? 0);
  for (const { id, time, text, bad } of run.log.slice(-MOST_LINES)) {
    if (id <= shown) continue;
    const item = document.createElement('li');
    item.dataset.event = String(id);
    if (bad) item.className = 'bad';
    const when = document.createElement('time');
    when.dateTime = new Date(time).toISOString();
    when.textContent = clockText(time);
    const what = document.createElement('span');
    what.textContent = text;
    item.append(when, ' ', what);
    list.prepend(item);
  }
  while (list.childElementCount > MOST_LINES) list.lastElementChild!.remove();
}

function pause(button: Element, run: Followed): void {
  paused = !paused;
  button.setAttribute('aria-pressed', String(paused));
  button.textContent = paused ? 'Go on' : 'Pause';
  if (!paused) showLog(run);
}

function say(text: string): void {
  const status = document.querySelector('[data-said]');
  if (status) status.textContent = text;
}
