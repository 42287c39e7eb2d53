/** Headers of every answer: what a browser may do with it. A handler's own policy stays. */
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

export const headers: MiddlewareHandler<ServiceEnv> = (c, next) =>
  (new URL(c.req.url).protocol === 'https:' ? onHttps : onHttp)(c, next);
