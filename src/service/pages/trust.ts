/** What is trusted and what isn't; readable by everybody. */
import { Hono } from 'hono';
import { html } from 'hono/html';
import { page } from './layout.ts';
import type { PageEnv } from './visitor.ts';

export const trust = new Hono<PageEnv>();

trust.get('/trust', (c) =>
  page(
    c,
    { title: 'What is trusted' },
    html`<article class="prose">
      <h1>What is trusted, and what isn't</h1>
      <h2>Trusted</h2>
      <ul>
        <li>
          <b>Whoever runs this service</b>: who deploys it sets its secrets, its first token, and which hosts each
          secret may be sent to.
        </li>
        <li>
          <b>Tokens, as far as their scope goes.</b> <code>read</code>: everything but tokens may be read.
          <code>run</code>: runs may be started, cancelled and tried again, and files uploaded. <code>admin</code>:
          pipelines may be put and deleted, and tokens made and revoked. Only a hash of a token is kept; whoever holds
          the token is its owner.
        </li>
        <li>
          <b>Pipeline files that an admin put.</b> They say which secrets check a webhook, where notices go, and who may
          read: a pipeline with <code>public: true</code> shows its text, runs and results to everybody.
        </li>
      </ul>
      <h2>Not trusted</h2>
      <ul>
        <li>
          <b>Webhooks</b>, until their signature is right over the bytes that came. Then too, a payload fills in only
          what the pipeline declares, and an address in it must lie on a host that the pipeline names.
        </li>
        <li>
          <b>Addresses of models</b>: https only, declared hosts only, every redirect checked against them, a bound on
          the size, and the pinned hash where there is one.
        </li>
        <li>
          <b>Models and probe data</b>: parsed within bounds, run by ONNX Runtime in an isolate or in a process of its
          own. A model decides numbers and how long a task takes, nothing else. A native runtime is only as safe as its
          parser: compare models of strangers with <code>compute: isolate</code>.
        </li>
        <li>
          <b>Names</b> from files, payloads and providers: escaped on every page, checked before they become keys.
        </li>
        <li>
          <b>Other sites in your browser</b>: these pages load their own script and style alone, forms are taken from
          these pages alone, and no frame shows them.
        </li>
      </ul>
      <h2>Not promised</h2>
      <ul>
        <li>
          Numbers follow from the model, the data and the definition. That a model is the one it is called, only a
          pinned hash says; every result names the hashes it was made from.
        </li>
        <li>A gate that passed says that its figures were within bounds, not that a model is good.</li>
      </ul>
    </article>`,
  ),
);
