"use strict";
// The console polls the node's JSON and draws tables. All text goes in through
// textContent, so that what users name things cannot become markup.

const pollMs = 2000;
let last = null; // the previous /api/self, for rates

const $ = (id) => document.getElementById(id);

async function get(path) {
  const r = await fetch(path);
  if (!r.ok) throw new Error(`${path}: ${(await r.text()).trim()}`);
  return r.json();
}

function bytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return `${n.toFixed(i === 0 || n >= 100 ? 0 : 1)} ${units[i]}`;
}

function cell(tag, text, cls) {
  const e = document.createElement(tag);
  e.textContent = text ?? "";
  if (cls) e.className = cls;
  return e;
}

// table draws rows; a column is [title, row -> text, class or row -> class].
function table(id, columns, rows) {
  const head = document.createElement("tr");
  for (const [title, , cls] of columns) head.append(cell("th", title, cls === "n" ? "n" : ""));
  const body = rows.map((row) => {
    const tr = document.createElement("tr");
    for (const [, text, cls] of columns) tr.append(cell("td", text(row), typeof cls === "function" ? cls(row) : cls));
    return tr;
  });
  if (rows.length === 0) {
    const tr = document.createElement("tr");
    const td = cell("td", "none", "quiet");
    td.colSpan = columns.length;
    tr.append(td);
    body.push(tr);
  }
  $(id).replaceChildren(head, ...body);
}

function tiles(values) {
  $("tiles").replaceChildren(...values.map(([name, value, cls]) => {
    const d = document.createElement("div");
    d.className = "tile";
    d.append(cell("b", value, cls), cell("span", name, "quiet"));
    return d;
  }));
}

function age(time) {
  const s = Math.max(0, (Date.now() - new Date(time)) / 1000);
  if (s < 120) return `${s.toFixed(0)} s`;
  if (s < 7200) return `${(s / 60).toFixed(0)} min`;
  if (s < 172800) return `${(s / 3600).toFixed(0)} h`;
  return `${(s / 86400).toFixed(0)} d`;
}

function draw(self, nodes, ranges, sessions) {
  const now = performance.now();
  const rate = last ? (self.statements - last.self.statements) * 1000 / (now - last.at) : 0;
  last = { self, at: now };
  const live = nodes.filter((n) => n.live).length;
  const failed = ranges.filter((r) => r.error || !r.leaseholder).length;
  $("self").textContent = `n${self.node} of cluster ${self.cluster.slice(0, 8)} · ${self.version}`;
  tiles([
    ["nodes live", `${live} / ${nodes.length}`, live < nodes.length ? "bad" : "good"],
    ["ranges", ranges.length],
    ["ranges without leader", failed, failed ? "bad" : "good"],
    ["connections here", self.connections],
    ["statements/s here", rate.toFixed(1)],
    ["restarts of transactions here", self.retries],
  ]);
  table("nodes", [
    ["node", (n) => `n${n.node}`],
    ["status", (n) => (n.live ? n.state : `silent ${(n.silent_ns / 1e9).toFixed(0)} s`), (n) => (n.live ? "good" : "bad")],
    ["address", (n) => n.addr], ["SQL", (n) => n.sql_addr], ["locality", (n) => n.locality],
    ["ranges", (n) => n.ranges, "n"], ["leases", (n) => n.leases, "n"], ["batches/s", (n) => n.qps.toFixed(1), "n"],
    ["used", (n) => bytes(n.used_bytes), "n"], ["free", (n) => bytes(n.available_bytes), "n"],
    ["up", (n) => age(n.started), "n"], ["version", (n) => n.version],
  ], nodes);
  table("sessions", [
    ["pid", (s) => s.PID, "n"], ["user", (s) => s.User], ["database", (s) => s.Database], ["client", (s) => s.RemoteAddr],
    ["state", (s) => s.State], ["since", (s) => (s.QueryStart.startsWith("0001") ? "" : age(s.QueryStart)), "n"], ["query", (s) => s.Query, "wide"],
  ], sessions);
  const wanted = $("filter").value.toLowerCase();
  table("ranges", [
    ["range", (r) => `r${r.range}`], ["table", (r) => r.table], ["from", (r) => r.from], ["to", (r) => r.to],
    ["leaseholder", (r) => (r.leaseholder ? `n${r.leaseholder}` : "?"), (r) => (r.leaseholder ? "" : "bad")],
    ["replicas", (r) => [...(r.replicas ?? []).map((n) => `n${n}`), ...(r.learners ?? []).map((n) => `n${n} (learner)`)].join(", ")],
    ["size", (r) => bytes(r.bytes), "n"], ["keys", (r) => r.keys, "n"], ["batches/s", (r) => r.qps.toFixed(1), "n"],
    ["locks", (r) => r.locks, "n"], ["error", (r) => r.error, "bad"],
  ], ranges.filter((r) => !wanted || `${r.table} ${r.from} ${r.to}`.toLowerCase().includes(wanted)));
}

async function poll() {
  try {
    const [self, nodes, ranges, sessions] = await Promise.all(["self", "nodes", "ranges", "sessions"].map((p) => get(`api/${p}`)));
    draw(self, nodes ?? [], ranges ?? [], sessions ?? []);
    $("status").textContent = "";
  } catch (e) {
    $("status").textContent = e.message;
    $("status").className = "bad";
  }
  setTimeout(poll, pollMs);
}

poll();
