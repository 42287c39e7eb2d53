import { describe, expect, it } from 'vitest';
import type { LayerDocuments } from '../../../src/report/entry.ts';
import { layerWarnings, runWarnings, unitList } from '../../../src/report/warnings.ts';
import { demoDocuments, demoPlan } from './demo.ts';
import type { Demo } from './demo.ts';

const demo: Demo = {
  networks: ['one', 'two'],
  layers: [{ name: 'conv', units: [20, 24] }],
  cluster: { k: 4, threshold: 0.2 },
};

/** Texts of the warnings about documents that `change` made worse. */
function warned(change: (documents: LayerDocuments) => void, options: Partial<Demo> = {}): string[] {
  const plan = demoPlan({ ...demo, ...options });
  const documents = demoDocuments({ ...demo, ...options }, plan, 0, 0);
  change(documents);
  return layerWarnings(plan, 0, 0, documents).map((warning) => warning.text);
}

describe('layerWarnings', () => {
  it('of sound documents are none but about penalties beyond every correlation', () => {
    expect(warned(() => {})).toEqual([]);
    const [first, second, ...rest] = warned(() => {}, { predict: { alphas: [2, 5, 0.1], holdout: 0.2 } });
    expect(first).toMatch(/^conv, one → two: all weights are 0 at alpha 2, 5: /);
    expect(second).toMatch(/^conv, two → one: all weights are 0 at alpha 2, 5: /);
    expect(rest).toEqual([]);
  });

  it('name dead units, those whose variance was lost, and those the pilot is not typical for', () => {
    const texts = warned(({ a, b }) => {
      a.dead.set([1, 0, 1], 3);
      b.varianceLost[1] = 1;
      b.dead[1] = 1;
      b.meanShift[10] = 0.75;
      b.meanShift[11] = 0.5;
    });
    expect(texts).toEqual([
      'conv, one: units 3 and 5 are dead (constant over all samples): r is 0, left out of prediction and clustering',
      'conv, two: unit 1 is so nearly constant that the variance was lost to rounding: counted as dead',
      expect.stringMatching(
        /^conv, two: the first rows are not typical for unit 10: .* up to 0\.75 standard deviations/,
      ),
    ]);
  });

  it('name live units that are constant in the rows fitted on or held out', () => {
    const texts = warned(({ a, aToB, bToA }) => {
      a.fitConstant[2] = 1;
      aToB!.predictors[2] = 0;
      bToA!.scored[2] = 0;
      bToA!.scored[7] = 0;
    });
    expect(texts).toEqual([
      'conv, one: unit 2 is constant in the rows fitted on: left out of prediction, as predictor and as target',
      'conv, one: unit 7 is constant in the rows held out: left out of prediction as target',
    ]);
  });

  it('say when there are too few samples for the units', () => {
    const few = warned(({ counts }) => (counts.fitSamples = 20));
    expect(few).toEqual([
      expect.stringMatching(
        /^conv, one: 20 samples to fit on for 20 units: without a penalty, predictions from them are 1 by construction/,
      ),
      expect.stringMatching(/^conv, two: 20 samples to fit on for 24 units: /),
    ]);
    expect(warned(({ counts }) => (counts.fitSamples = 25))).toEqual([]);
    const off = warned(({ counts }) => (counts.samples = 20), { predict: false });
    expect(off[0]).toMatch(/^conv, one: 20 samples for 20 units: high correlations arise by chance/);
  });

  it('say when nothing can be predicted', () => {
    const texts = warned(({ aToB }) => aToB!.scored.fill(0));
    expect(texts).toContainEqual(
      expect.stringMatching(/^conv, one → two: no unit of two varies .*: nothing to predict$/),
    );
  });

  it('say nothing of units that were not chosen', () => {
    expect(
      warned(({ aToB }) => {
        aToB!.chosen.fill(0, 3);
        aToB!.scored.fill(0, 3);
      }),
    ).toEqual([]);
    const none = warned(({ aToB }) => {
      aToB!.chosen.fill(0, 3);
      aToB!.scored.fill(0);
    });
    expect(none).toEqual([
      'conv, two: units 0, 1 and 2 are constant in the rows held out: left out of prediction as target',
      expect.stringMatching(/^conv, one → two: none of the 3 units chosen of two varies .*: nothing to predict$/),
    ]);
  });

  it('name targets the solver did not solve and targets predicted worse than by a constant', () => {
    const texts = warned(({ aToB, bToA }) => {
      aToB!.kkt[24 + 4] = 1.5e-8;
      aToB!.kkt[24 + 5] = 1e-8;
      bToA!.r2HeldOut![2 * 20 + 11] = -3.5;
      bToA!.r2HeldOut![2 * 20 + 12] = -1;
    });
    expect(texts).toEqual([
      'conv, one → two: the solver stopped before the optimum at alpha 0.01 for unit 4 of two (KKT residual up to 1.5e-8)',
      'conv, two → one: R² below −1 at alpha 0.03 in the rows held out for unit 11 of one (down to -3.50): these pull the mean down',
    ]);
  });

  it('say when clusters are fewer than asked, or fewer than the components', () => {
    expect(warned(({ clustering }) => (clustering!.k = 3))).toEqual([
      'conv, one and two: 3 clusters instead of 4: only 3 units have a correlation above 0.2',
    ]);
    expect(warned(({ clustering }) => (clustering!.components = 6))).toEqual([
      expect.stringMatching(/^conv, one and two: 6 separate groups above the threshold 0\.2 but 4 clusters/),
    ]);
  });
});

it('runWarnings: fewer than 20 image groups', () => {
  expect(runWarnings(demoPlan({ ...demo, rows: 20 }))).toEqual([]);
  expect(runWarnings(demoPlan({ ...demo, rows: 7 }))[0]!.text).toMatch(
    /^7 rows of probe data make 7 image groups instead of 20/,
  );
});

it.each([
  [[3], 'unit 3'],
  [[3, 4], 'units 3 and 4'],
  [[0, 1, 2, 3, 4, 5, 6, 7, 8], 'units 0, 1, 2, 3, 4, 5, 6, 7 and 8'],
  [Array.from({ length: 25 }, (_, i) => i), 'units 0, 1, 2, 3, 4, 5, 6, 7 and 17 more'],
])('unitList of %j', (units, expected) => {
  expect(unitList(units)).toBe(expected);
});
