// Read the letters named in the arguments with mailparser (NODE_PATH says where it is), and print them as JSON.
const { readFileSync } = require("node:fs");
const { simpleParser } = require("mailparser");

const shown = ({ name, address }) => `${name} <${address}>`;

async function read(file) {
  const letter = await simpleParser(readFileSync(file));
  return {
    from: shown(letter.from.value[0]),
    to: shown(letter.to.value[0]),
    subject: letter.subject,
    unsubscribe: `<${letter.headers.get("list").unsubscribe.url}>`,
    text: letter.text,
    html: letter.html,
  };
}

Promise.all(process.argv.slice(2).map(read)).then((letters) => console.log(JSON.stringify(letters)));
