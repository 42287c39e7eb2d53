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
    const { definition, where, modelPaths, dataPath, file } = await loadDefinition(positionals[0]!);
    for (const [index, network] of definition.networks.entries()) {
      requireFile(modelPaths[index]!, 'a model', where(['networks', network.name, 'model']));
    }
    const { rows, dtype, rowShape } = readProbeHeader(dataPath, where(['probe', 'data']));
    const { name, networks, layers } = definition;
    return {
      text: `${file} is valid: ${networks.length} networks, ${layers.length} layers, ${rows} rows of ${dtype} [${rowShape.join(', ')}]`,
      json: {
        valid: true,
        name,
        networks: networks.map((network) => network.name),
        layers: layers.map((layer) => layer.name),
        data: { rows, dtype, rowShape },
      },
    };
  },
};
