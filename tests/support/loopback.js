// Whatever this process listens on is on the loopback address alone.
"use strict";

const { Server } = require("node:net");

const { listen } = Server.prototype;

Server.prototype.listen = function (where, ...rest) {
  const options = typeof where === "object" ? where : { port: where };
  const callback = rest.find((argument) => typeof argument === "function");
  return listen.call(this, { ...options, host: "127.0.0.1" }, callback);
};
