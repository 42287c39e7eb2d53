/** What every form of the pages is held to: sent from these pages, and not larger than it can be. */
import { bodyLimit } from 'hono/body-limit';
import { every } from 'hono/combine';
import { csrf } from 'hono/csrf';
import { PipelineError } from '../../errors.ts';

/** Enough for every field but a definition. */
const FEW_BYTES = 16 * 1024;

/** Refuses forms of other sites, and those above `mostBytes`. @throws PipelineError `too-large` */
export const ownForm = (mostBytes = FEW_BYTES) =>
  every(
    csrf(),
    bodyLimit({
      maxSize: mostBytes,
      onError: () => {
        throw new PipelineError('too-large', `expected a form of at most ${mostBytes} bytes; found more`);
      },
    }),
  );
