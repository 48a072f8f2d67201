/** How the page of the API looks. */
export const style = `
:root {
  --ink: #16211c; --soft: #5b6b63; --line: #dfe7e2; --paper: #fff; --side: #f4f7f5;
  --green: #0b7a43; --code: #eef3f0; --get: #0b6bcb; --post: #0b7a43;
  color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e7eeea; --soft: #9db0a6; --line: #2b3832; --paper: #121815; --side: #171f1b;
    --green: #4cc38a; --code: #1e2924; --get: #6cb6ff; --post: #4cc38a;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body {
  margin: 0; display: grid; grid-template-columns: 18.5rem minmax(0, 1fr);
  font: 15px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
}
nav {
  position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.4rem 1.2rem;
  background: var(--side); border-right: 1px solid var(--line); font-size: 13px;
}
nav a {
  display: flex; gap: .35rem; padding: .2rem .4rem; margin: 0 -.4rem; border-radius: 6px;
  color: inherit; text-decoration: none; overflow-wrap: anywhere;
}
nav a:hover { background: var(--code); }
nav h2 {
  margin: 1.2rem 0 .3rem; font-size: 11px; letter-spacing: .06em; text-transform: uppercase;
  color: var(--soft);
}
nav b { flex: 0 0 2.2rem; font-size: 10px; line-height: 1.95; letter-spacing: .03em; }
.brand { font-size: 18px; font-weight: 700; }
.brand span { color: var(--green); }
main { padding: 2rem clamp(1rem, 4vw, 3.5rem) 5rem; max-width: 62rem; }
h1 { margin: 0 0 .6rem; font-size: 2rem; letter-spacing: -.02em; }
main h2 { margin: 3rem 0 0; font-size: 1.35rem; }
.lead { margin: .3rem 0 .8rem; color: var(--soft); }
.item { margin: .35rem 0 .35rem 1.1rem; text-indent: -.9rem; }
.item::before { content: '·'; display: inline-block; width: .9rem; text-indent: 0; color: var(--green); }
.under { margin-left: 2.4rem; color: var(--soft); }
article {
  margin: 1.1rem 0; padding: 1rem 1.2rem; border: 1px solid var(--line); border-radius: 10px;
}
article:target, tr:target { border-color: var(--green); outline: 2px solid var(--green); }
h3 { margin: 0 0 .3rem; font-size: 1.02rem; overflow-wrap: anywhere; }
h4 {
  margin: .9rem 0 .2rem; font-size: 11px; letter-spacing: .06em; text-transform: uppercase;
  color: var(--soft);
}
p { margin: .3rem 0; }
.note { color: var(--soft); }
.GET { color: var(--get); } .POST { color: var(--post); }
.scope {
  display: inline-block; padding: 0 .5rem; border: 1px solid var(--line); border-radius: 99px;
  font-size: 12px; color: var(--soft); white-space: nowrap;
}
code {
  padding: .08em .32em; border-radius: 4px; background: var(--code);
  font: .88em ui-monospace, monospace; overflow-wrap: anywhere;
}
h3 code { padding: 0; background: none; font-size: .95em; }
.example { color: var(--soft); }
table { width: 100%; margin: .5rem 0; border-collapse: collapse; font-size: 13.5px; }
td { padding: .42rem .6rem .42rem 0; border-top: 1px solid var(--line); vertical-align: top; }
td:first-child { width: 30%; } td:nth-child(2) { width: 26%; }
td i { display: block; font-size: 12px; color: var(--soft); }
.number { width: 4rem; }
.answers { margin: 0; padding: 0; list-style: none; font-size: 13.5px; }
.answers b { display: inline-block; width: 2.4rem; }
.s2 { color: var(--green); } .s4, .s5 { color: var(--soft); }
a { color: var(--green); }
@media (max-width: 50rem) {
  body { display: block; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); }
  td { display: block; width: auto !important; border-top: 0; padding: .1rem 0; }
  tr { display: block; padding: .5rem 0; border-top: 1px solid var(--line); }
}
`;
