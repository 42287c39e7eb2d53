/**
 * Which way a LASSO goes to one α: by sweeps of coordinate descent, or along the path from the last α. Neighbouring
 * targets are alike, so what the last ones took decides. Counts work, not time: results are the same everywhere.
 */

/** Sweeps that need no more rounds than this are taken as they are. */
const EASY_ROUNDS = 1;
/** Targets that go the cheaper way before the other is tried again; twice as many after each try in vain. */
const TURNS_FIRST = 24;

/** A path that takes so many times the work of the last sweeps is given up. */
const WORTH = 1.5;

export class Route {
  /** The way to go next. */
  byPath = false;
  private readonly work = { sweeps: 0, path: 0 };
  private turns = 0;
  private wait = TURNS_FIRST;

  /** Work after which the path isn't worth following any further. */
  get mostWork(): number {
    return this.work.sweeps === 0 ? Infinity : WORTH * this.work.sweeps;
  }

  /** What going `byPath` or not took, and after how many rounds it was there. */
  record(byPath: boolean, work: number, rounds: number): void {
    const { work: known } = this;
    known[byPath ? 'path' : 'sweeps'] = work;
    if (!byPath && rounds <= EASY_ROUNDS && known.path === 0) return;
    this.turns++;
    const cheaper = known.path > 0 && known.path < known.sweeps;
    if (this.turns === 2) this.wait = byPath === cheaper ? TURNS_FIRST : 2 * this.wait;
    this.byPath = cheaper;
    // the other way where it isn't known yet, or not any more
    if (this.turns > 1 && this.turns < this.wait) return;
    this.turns = 1;
    this.byPath = !byPath;
  }
}
