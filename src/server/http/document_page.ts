// The OpenAPI document as a page for people: plain HTML without script, nothing from elsewhere.

/** For every page that the server sends. */
export const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
} as const;

interface Content {
  readonly schema?: unknown;
}
interface Part {
  readonly description?: string;
  readonly content?: Readonly<Record<string, Content>>;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
  readonly schema?: { readonly description?: string };
}
interface Operation {
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Part;
  readonly responses?: Readonly<Record<string, Part>>;
}
interface OpenDocument {
  readonly info?: {
    readonly title?: string;
    readonly version?: string;
    readonly description?: string;
  };
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 56rem; margin: 0 auto; padding: 1rem; }
h2 { border-bottom: 1px solid; margin-top: 2.5rem; }
article { margin: 1.5rem 0; }
h3 { font: 600 1rem ui-monospace, monospace; overflow-wrap: anywhere; margin-bottom: .25rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .2rem .75rem .2rem 0; }
code, pre { font: .875rem/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid; border-radius: .25rem; }
`;

/** The whole page. */
export function documentPage(given: object): string {
  const document = given as OpenDocument;
  const { title = "", version = "", description = "" } = document.info ?? {};
  const byTag = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "";
      const articles = byTag.get(tag) ?? [];
      articles.push(operationPart(method.toUpperCase(), path, operation));
      byTag.set(tag, articles);
    }
  }
  const sections = [...byTag].map(([tag, articles]) =>
    `<section><h2>${escaped(tag)}</h2>${articles.join("")}</section>`
  );
  const schemas = Object.entries(document.components?.schemas ?? {}).map(([name, schema]) =>
    `<article id="${escaped(name)}"><h3>${escaped(name)}</h3><pre>${
      escaped(JSON.stringify(schema, null, 2))
    }</pre></article>`
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)} ${escaped(version)}: HTTP</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(title)} ${escaped(version)}</h1>
<p>${escaped(description)} The same as <a href="/openapi.json">OpenAPI</a>.</p>
<main>
${sections.join("\n")}
<section><h2>schemas</h2>${schemas.join("")}</section>
</main>
</body>
</html>
`;
}

function operationPart(method: string, path: string, operation: Operation): string {
  const { summary = "", description = "", parameters = [], requestBody, responses = {} } =
    operation;
  const rows = [
    ...parameters.map((each) =>
      row(`${each.name} (${each.in})`, escaped(each.description ?? each.schema?.description ?? ""))
    ),
    ...requestBody === undefined ? [] : [row("body", contentText(requestBody))],
    ...Object.entries(responses).map(([status, each]) =>
      row(status, `${escaped(each.description ?? "")} ${contentText(each)}`)
    ),
  ];
  return `<article><h3>${method} ${escaped(path)}</h3><p>${escaped(summary)}.</p>` +
    (description === "" ? "" : `<p>${escaped(description)}</p>`) +
    `<table>${rows.join("")}</table></article>`;
}

function row(name: string, html: string): string {
  return `<tr><th scope="row"><code>${escaped(name)}</code></th><td>${html}</td></tr>`;
}

/** Types of a content, with a link where its schema has a name. */
function contentText({ content = {} }: Part): string {
  return Object.entries(content).map(([type, { schema }]) => {
    const name = /"\$ref":"#\/components\/schemas\/([A-Za-z]+)"/.exec(JSON.stringify(schema) ?? "")
      ?.[1];
    const link = name === undefined ? "" : ` <a href="#${name}">${name}</a>`;
    return `<code>${escaped(type)}</code>${link}`;
  }).join(", ");
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
