// Runs the tests of the pure core on Python 3.14: Pyodide is CPython 3.14 compiled to WebAssembly, and node can run it.
//
//     node .ci/run_pyodide.mjs PYTHON FOLDER [TEST...]
//
// PYTHON is an interpreter with pip, which fetches the test tools. FOLDER is where everything that is fetched goes.
// WebAssembly has no threads, sockets or child processes, so this proves nothing about delivery.
// The exit code is pytest's. Without npm, or if npm cannot reach its registry, it prints why it skips and returns 0.

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const PYODIDE = "314.0.7"; // 314 stands for Python 3.14.
// No `requests` on purpose: the pure core must not need it.
const PACKAGES = ["attrs>=23.2", "cattrs>=24.1", "hypothesis>=6.100", "pytest>=8.2"];
// What is tested where the command line names no tests.
const TESTS = [
  "tests/messages", "tests/operations", "tests/intercom", "tests/root/test_errors.py", "tests/root/test_plugins.py",
  "tests/root/test_types.py", "tests/settings/test_settings.py", "tests/settings/test_spool_path.py",
];
// What npm reports if there is no way to its registry. Any other error of npm fails the job.
const UNREACHABLE = /\b(EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|ETIMEDOUT|ERR_SOCKET_TIMEOUT)\b/;

// Every module must compile without a warning, also those that need threads and are not imported here.
const PYTHON_PROGRAM = `
import os, sys, warnings
from pathlib import Path
print("Python", sys.version.split()[0], "on", sys.platform, flush=True)
sys.path[:0] = ["/project", "/packages"]
os.chdir("/project")
with warnings.catch_warnings():
    warnings.simplefilter("error")
    for path in Path("metarouter_intercom").rglob("*.py"):
        compile(path.read_bytes(), str(path), "exec")
import pytest
int(pytest.main(["-q", "-p", "no:cacheprovider", *tests]))
`;

const project = dirname(dirname(fileURLToPath(import.meta.url)));

function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(0);
}

function run(command, ...parameters) {
  const { error, status, stdout, stderr } = spawnSync(command, parameters, { encoding: "utf8" });
  return { isMissing: error?.code === "ENOENT", failed: status !== 0, output: `${stdout ?? ""}${stderr ?? ""}` };
}

function fetchPyodide(folder) {
  const npm = run("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--fetch-retries=1", `pyodide@${PYODIDE}`);
  if (npm.isMissing) skip("npm is not on this machine");
  if (npm.failed && UNREACHABLE.test(npm.output)) skip("npm cannot reach its registry");
  if (npm.failed) throw new Error(npm.output);
}

// Only wheels of pure Python: compiled ones are made for another machine than WebAssembly.
function fetchPackages(python, folder) {
  const pure = ["--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none", "--python-version=3.14"];
  const pip = run(python, "-m", "pip", "install", "--quiet", "--target", folder, ...pure, ...PACKAGES);
  if (pip.failed) throw new Error(pip.output);
}

async function runTests(folder, packages, tests) {
  const { loadPyodide } = await import(pathToFileURL(join(folder, "node_modules/pyodide/pyodide.mjs")));
  const pyodide = await loadPyodide({ env: { HOME: "/tmp", PYTHONDONTWRITEBYTECODE: "1" } });
  for (const [root, place] of [[packages, "/packages"], [project, "/project"]]) {
    pyodide.FS.mkdirTree(place);
    pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root }, place);
  }
  return pyodide.runPython(PYTHON_PROGRAM, { globals: pyodide.toPy({ tests }) });
}

try {
  const [python, folder, ...tests] = process.argv.slice(2);
  const packages = join(folder, "packages");
  mkdirSync(folder, { recursive: true });
  fetchPyodide(folder);
  fetchPackages(python, packages);
  process.exitCode = await runTests(folder, packages, tests.length ? tests : TESTS);
} catch (error) {
  // Printed here, because node would print the failing source line as well, and all of Pyodide is on one line.
  console.error(error.stack ?? error);
  process.exitCode = 1;
}
