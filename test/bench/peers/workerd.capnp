using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "bench", worker = .bench)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "bench")]
);

const bench :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "../app/worker.js")],
  compatibilityDate = "2026-11-01",
  bindings = [
    (name = "ECHO", durableObjectNamespace = "Echo"),
    (name = "ROOM", durableObjectNamespace = "Room"),
  ],
  durableObjectNamespaces = [
    (className = "Echo", uniqueKey = "bench-Echo", enableSql = true),
    (className = "Room", uniqueKey = "bench-Room", enableSql = true),
  ],
  durableObjectStorage = (inMemory = void),
);
