/** Headers of every answer: what a browser may do with it, and that nobody keeps it. A handler's own stay. */
import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type { ServiceEnv } from './access.ts';

const policyHeaders = (https: boolean): MiddlewareHandler<ServiceEnv> =>
  secureHeaders({
    overwrite: false,
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      baseUri: ["'none'"],
    },
    // nothing leaves the site; with no-referrer, forms would lose the Origin that tells them from another site's
    referrerPolicy: 'same-origin',
    xFrameOptions: false,
    // the report has no origin to be keyed by
    originAgentCluster: false,
    strictTransportSecurity: https,
  });

const [onHttp, onHttps] = [policyHeaders(false), policyHeaders(true)];

export const headers: MiddlewareHandler<ServiceEnv> = async (c, next) => {
  await (new URL(c.req.url).protocol === 'https:' ? onHttps : onHttp)(c, next);
  // what a token or a session may read stays in no cache
  if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', 'no-store');
};
