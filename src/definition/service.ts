/**
 * What a pipeline declares for the service that runs it: who may read it, what starts a run, when a result is good
 * enough, and who is told. None of it decides a number, so none of it is part of a plan.
 */

export interface ServiceDefinition {
  /** Whether anybody may read the pipeline and its runs. */
  public: boolean;
  triggers: Trigger[];
  gate: GateRule[];
  notify: Notice[];
}

/** What starts a run. Secrets are names of environment variables. */
export type Trigger = HookTrigger | UploadTrigger | ScheduleTrigger;

/** A delivery over HTTP; by kind: signed as GitHub's webhooks, Hugging Face's, or Standard Webhooks. */
export interface HookTrigger {
  kind: 'github' | 'huggingface' | 'webhook';
  secret: string;
  /** GitHub's event (`X-GitHub-Event`); absent for the others. */
  event?: string;
  /** JSON Pointers (RFC 6901) into the payload and what must stand there. */
  when: { pointer: string; equals: string | number | boolean | null }[];
  /** What the payload fills in. */
  set: Setting[];
}

/** A value of the payload for one key of one network. */
export interface Setting {
  network: string;
  key: 'model' | 'sha256';
  /** JSON Pointer (RFC 6901) into the payload. */
  pointer: string;
}

/** An object that appears in the bucket below `prefix` becomes the model of `network`. */
export interface UploadTrigger {
  kind: 'upload';
  prefix: string;
  network: string;
}

export interface ScheduleTrigger {
  kind: 'schedule';
  /** Five fields, UTC. */
  cron: string;
}

/** A bound on a figure of results.json; exactly one of the three bounds is there. */
export interface GateRule {
  /** A layer's name, or `*`: every layer. */
  layer: string;
  /** A pair's folder, such as `ref-candidate`; absent: every pair. */
  pair?: string;
  /** Path from the layer's entry in results.json, such as `match.mean_r`. */
  figure: string;
  /** Picks the item of a list that has this alpha. */
  alpha?: number;
  atLeast?: number;
  atMost?: number;
  /** How far the figure may fall below that of the run named in `against`. */
  dropAtMost?: number;
  against?: 'last-passed';
}

/** Who is told how a run ended. Secrets are names of environment variables. */
export type Notice =
  /** A Standard Webhooks message. */
  | { kind: 'webhook'; url: string; secret: string }
  /** A commit status at the repository whose webhook started the run. */
  | { kind: 'github-status'; token: string };

/** Where a network's model may be downloaded from, for networks by address. */
export interface AddressRules {
  /** Host names, and the presets `github` and `huggingface`. */
  hosts: string[];
  /** Size bound, bytes. */
  maxBytes: number;
  /** SHA-256 the file must have, lower-case hex. */
  sha256?: string;
}
