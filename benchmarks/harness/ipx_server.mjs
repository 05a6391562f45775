// ipx over Node's own HTTP server, as its README mounts it. Settings come as JSON in the first argument.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const settings = JSON.parse(process.argv[2]);
const require = createRequire(pathToFileURL(`${settings.modules}/`));
const { createIPX, createIPXNodeServer, ipxFSStorage } = await import(
  pathToFileURL(`${settings.modules}/node_modules/ipx/dist/index.mjs`)
);
const sharp = require("sharp");
sharp.cache(false);
sharp.concurrency(1);
const ipx = createIPX({ storage: ipxFSStorage({ dir: settings.photos }), sharpOptions: settings.sharp });
createServer(createIPXNodeServer(ipx)).listen(settings.port, "127.0.0.1");
