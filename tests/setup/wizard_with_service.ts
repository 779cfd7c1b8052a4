/*
 * The wizard with a service that only writes down what is asked of it, for tests: `<settings file> <state>`. A `broken`
 * one is running and does not come back.
 */

import { dirname, join } from "node:path";
import { runWizard } from "../../src/setup/wizard.ts";

const [file = "", state = ""] = Deno.args;

function note(words: string): void {
  Deno.writeTextFileSync(join(dirname(file), "service.log"), `${words}\n`, { append: true });
}

await runWizard({
  path: file,
  flags: {},
  signal: new AbortController().signal,
  service: {
    state: () => Promise.resolve(state === "stopped" ? "stopped" : "running"),
    apply: (config) => {
      note(`apply ${config.localAeTitle}`);
      return Promise.resolve(["The archive stays as it is."]);
    },
    restart: () => {
      note("restart");
      return state === "broken"
        ? Promise.reject(new Error("It did not start."))
        : Promise.resolve();
    },
  },
});
Deno.exit(0);
