# The compute server: tasks of the `native` provider over HTTP. docker build -t convergent-compute .
# Its settings are the environment variables of src/compute/settings.ts.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc build.js tsconfig.json ./
# no package here needs its install script: onnxruntime-node's only fetches GPU libraries
RUN npm ci --ignore-scripts
COPY src src
RUN node build.js

FROM node:24-bookworm-slim
ENV NODE_ENV=production
ENV HOST=0.0.0.0
ENV PORT=8080
ENV CONVERGENT_CACHE_DIR=/var/cache/convergent
WORKDIR /app
# what compute.js and child.js load; the command line, the Worker and their packages stay behind
COPY --from=build /app/node_modules/@hono/node-server node_modules/@hono/node-server
COPY --from=build /app/node_modules/hono node_modules/hono
COPY --from=build /app/node_modules/onnxruntime-common node_modules/onnxruntime-common
COPY --from=build /app/node_modules/onnxruntime-node/bin/napi-v6/linux node_modules/onnxruntime-node/bin/napi-v6/linux
COPY --from=build /app/node_modules/onnxruntime-node/dist node_modules/onnxruntime-node/dist
COPY --from=build /app/node_modules/onnxruntime-node/package.json node_modules/onnxruntime-node/package.json
COPY --from=build /app/node_modules/pbf node_modules/pbf
COPY --from=build /app/node_modules/pure-rand node_modules/pure-rand
COPY --from=build /app/node_modules/zod node_modules/zod
COPY --from=build /app/package.json package.json
COPY --from=build /app/dist/compute.js dist/compute.js
COPY --from=build /app/dist/child.js dist/child.js
COPY --from=build /app/dist/samples.wasm dist/samples.wasm
COPY --from=build /app/dist/rows.wasm dist/rows.wasm
RUN mkdir -p /var/cache/convergent && chown node:node /var/cache/convergent
USER node
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# SIGTERM lets running tasks end; docker stop --time says for how long
CMD ["node", "dist/compute.js"]
