/** What stands in the page besides HTML: its script, its style, its data, and the policy that allows just these. */

/** JSON in a block the browser doesn't run; no character of it can end the block. */
export function dataBlock(id: string, value: unknown): string {
  const json = JSON.stringify(value).replace(
    /[<\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `<script type="application/json" id="${id}">${json}</script>\n`;
}

/** A content security policy for one script and one style, by hash, and nothing else. */
export async function policy(script: string, style: string): Promise<string> {
  const [scriptHash, styleHash] = await Promise.all([script, style].map(hashSource));
  const none = ['default-src', 'base-uri', 'form-action'].map((directive) => `${directive} 'none'`);
  return [...none, `script-src ${scriptHash}`, `style-src ${styleHash}`].join('; ');
}

async function hashSource(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
}

/** Text for a `<script>` or `<style>`: browsers read CRLF as LF before they hash, and nothing in it may end the element. */
export function inline(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/<\/(script|style)/gi, '<\\/$1')
    .replace(/<!--/g, '<\\!--');
}
