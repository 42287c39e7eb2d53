/** The sections: one per pair with its bar of links, and within it one per layer, made of blocks. */
import { html } from 'hono/html';
import { middleAlpha } from '../embedded.ts';
import type { PageData } from '../embedded.ts';
import type { LayerResult } from '../results.ts';
import { clusterBlock, matchBlock, meansBlock, predictBlock } from './blocks.ts';
import type { Place } from './blocks.ts';
import { netName, number } from './cells.ts';
import type { Html } from './cells.ts';
import { alphaPicker, sectionId } from './overview.ts';

/** Pairs up to which each bar links to all of them. */
const PAIRS_IN_BAR = 15;

/** Dead units listed; results.json has all. */
const DEAD_LISTED = 40;

/** The section of a pair around the sections of its layers. */
export function pairSection(data: PageData, pair: number, layers: Html): Html {
  const { a, b, folder } = data.pairs[pair]!;
  const linked = data.pairs.length > PAIRS_IN_BAR ? [data.pairs[pair]!] : data.pairs;
  const links = linked.map((other) => {
    const current = other.folder === folder ? html`aria-current="true"` : '';
    return html`<li><a href="#${other.folder}" ${current}>${other.a} × ${other.b}</a></li>`;
  });
  const all = linked.length < data.pairs.length ? html`<li><a href="#overview">all pairs</a></li>` : '';
  return html`<section class="pair" id="${folder}" data-pair="${pair}" aria-labelledby="title/${folder}">
    <nav class="bar" aria-label="Pairs and layers">
      <ul class="pairs">
        ${links}${all}
      </ul>
      <ul class="layers">
        ${data.layers.map((name, l) => html`<li><a href="#${sectionId(data, pair, l)}">${name}</a></li>`)}
      </ul>
      ${data.alphas.length > 0 ? alphaPicker(data, middleAlpha(data)) : ''}
      <a class="up" href="#top" aria-label="To the top">↑</a>
    </nav>
    <h2 id="title/${folder}">${netName(a, 'a')} <span class="times">×</span> ${netName(b, 'b')}</h2>
    ${layers}
  </section>`;
}

/** The section of one pair at one layer; its drawing's data is embedded behind it. */
export function layerSection(data: PageData, pair: number, layer: number, entry: LayerResult): Html {
  const id = sectionId(data, pair, layer);
  const { a, b } = data.pairs[pair]!;
  const place: Place = { data, pair, layer, entry, path: `pairs.${pair}.layers.${layer}`, a, b };
  return html`<section class="layer" id="${id}" data-pair="${pair}" data-layer="${layer}" aria-labelledby="title/${id}">
    <div class="head">
      <h3 id="title/${id}">${entry.layer}</h3>
      <p class="meta">
        ${number(`${place.path}.units.0`, entry.units[0], 'count')} units of ${netName(a, 'a')}
        <code>${entry.tensor_a}</code>, ${number(`${place.path}.units.1`, entry.units[1], 'count')} of
        ${netName(b, 'b')} <code>${entry.tensor_b}</code>; ${number(`${place.path}.images`, entry.images, 'count')}
        images × ${number(`${place.path}.positions`, entry.positions, 'count')}
        ${entry.positions === 1 ? 'position' : 'positions'} = ${number(`${place.path}.samples`, entry.samples, 'count')}
        samples
      </p>
    </div>
    ${deadUnits(place)}${matchBlock(place)}${predictBlock(place)}${clusterBlock(place)}${meansBlock(place)}
  </section>`;
}

function deadUnits({ entry, a, b }: Place): Html | string {
  const { dead_a, dead_b } = entry;
  if (dead_a.length + dead_b.length === 0) return '';
  const told = (units: number[], name: string, side: 'a' | 'b'): Html | string =>
    units.length === 0 ? '' : html`<span class="fact">${netName(name, side)}: ${deadList(units)}</span>`;
  return html`<p class="aside">Dead units: ${told(dead_a, a, 'a')} ${told(dead_b, b, 'b')}</p>`;
}

function deadList(units: readonly number[]): string {
  const listed = units.slice(0, DEAD_LISTED).join(', ');
  return units.length > DEAD_LISTED ? `${listed} and ${units.length - DEAD_LISTED} more, see results.json` : listed;
}
