/** A pipeline file on a page: its lines with their numbers, and a fault at its line. */
import { html } from 'hono/html';
import type { ErrorRecord } from '../../errors.ts';
import type { Html } from './layout.ts';

/** Lines shown; the form below holds all of a longer file. */
const MOST_LINES = 2_000;

/** The text line by line; `error` stands under the line it names, or above all where it names none. */
export function definitionText(text: string, error: ErrorRecord | null): Html {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
  const shown = lines.slice(0, MOST_LINES);
  const at = error?.place?.line === undefined ? 0 : Math.min(error.place.line, shown.length);
  const told = error ? faultLine(error) : '';
  return html`${at === 0 ? told : ''}
    <div class="scroll ${error ? '' : 'tall'}" tabindex="0" role="region" aria-label="Definition">
      <ol class="code">
        ${shown.map(
          (line, index) =>
            html`<li id="L${index + 1}" ${index + 1 === at ? html`class="faulty"` : ''}>
              <code>${line}</code>${index + 1 === at ? told : ''}
            </li>`,
        )}
      </ol>
    </div>
    ${lines.length > shown.length ? html`<p class="soft">The first ${shown.length} of ${lines.length} lines.</p>` : ''}`;
}

/** What is wrong, and what to do about it. */
export function faultLine({ code, message, place, hint }: ErrorRecord): Html {
  const where =
    place?.line === undefined
      ? ''
      : `Line ${place.line}${place.column === undefined ? '' : `, column ${place.column}`}: `;
  return html`<div class="fault" id="fault">
    <b>${where}</b>${message} <code>${code}</code>${hint === undefined ? '' : html`<br />${hint}`}
  </div>`;
}
