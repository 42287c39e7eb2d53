/** Where somebody goes after signing in. */

/** `next` where it is a path of this service, else the list of runs: nobody is sent elsewhere after signing in. */
export function localPath(next: string | undefined): string {
  // a second slash or backslash would name a host; control characters are dropped by browsers before they look
  return next !== undefined && /^\/(?![/\\])[\x21-\x7e]*$/.test(next) && !next.includes('\\') ? next : '/runs';
}
