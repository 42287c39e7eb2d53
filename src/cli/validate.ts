/** `convergent validate`: schema, names and files; runs no model. */
import { requireFile } from '../compute/files.ts';
import type { Command } from './command.ts';
import { loadDefinition } from './prepare.ts';
import { readProbeHeader } from './probe.ts';

export const validateCommand: Command = {
  name: 'validate',
  usage: 'validate <pipeline.yaml> [--json]',
  summary: 'checks keys, names and files of a pipeline, and runs no model',
  details: [],
  operands: 1,
  options: {},
  run: async ({ positionals }) => {
    const { definition, service, where, modelPaths, dataPath, file } = await loadDefinition(positionals[0]!);
    for (const [index, network] of definition.networks.entries()) {
      const path = modelPaths[index];
      if (path != null) requireFile(path, 'a model', where(['networks', network.name, 'model']));
    }
    const { rows, dtype, rowShape } = readProbeHeader(dataPath, where(['probe', 'data']));
    const { name, networks, layers } = definition;
    const { public: isPublic, triggers, gate, notify } = service;
    const declared = [
      ...counted(triggers, 'trigger'),
      ...counted(gate, 'gate rule'),
      ...counted(notify, 'notice'),
      ...(isPublic ? ['public'] : []),
    ];
    return {
      text:
        `${file} is valid: ${networks.length} networks, ${layers.length} layers, ${rows} rows of ${dtype} [${rowShape.join(', ')}]` +
        (declared.length === 0 ? '' : `; for the service: ${declared.join(', ')}`),
      json: {
        valid: true,
        name,
        networks: networks.map((network) => network.name),
        layers: layers.map((layer) => layer.name),
        data: { rows, dtype, rowShape },
        service: {
          public: isPublic,
          triggers: triggers.map(({ kind }) => kind),
          gate: gate.length,
          notify: notify.map(({ kind }) => kind),
        },
      },
    };
  },
};

function counted(list: readonly unknown[], what: string): string[] {
  return list.length === 0 ? [] : [`${list.length} ${what}${list.length === 1 ? '' : 's'}`];
}
