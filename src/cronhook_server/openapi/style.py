"""How the pages look, by day and by night."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--back:#fff;--box:#f5f7f9;--link:#0b5cad}
@media(prefers-color-scheme:dark){
:root{--ink:#e4e8ee;--soft:#9aa5b4;--line:#323a45;--back:#14181e;--box:#1d232b;--link:#7db8ff}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--back)}
main{max-width:56rem;margin:0 auto;padding:2rem 1.5rem 6rem}
nav{padding:1.5rem;font-size:14px}
nav h2{font-size:14px;margin:1rem 0 .2rem}
nav ul{list-style:none;margin:0;padding:0}
nav li{padding:.1rem 0}
@media(max-width:72rem){
nav{max-width:56rem;margin:0 auto;padding-bottom:0}
nav h2{display:inline-block;margin-right:1rem}nav ul{display:none}}
@media(min-width:72rem){
body:has(nav){display:grid;grid-template-columns:17rem 1fr}
nav{position:sticky;top:0;height:100vh;overflow:auto;border-right:1px solid var(--line)}}
a{color:var(--link);text-decoration:none}
a:hover{text-decoration:underline}
h1{margin:0 0 1rem;font-size:1.9rem}
section>h2{margin:3rem 0 .5rem;font-size:1.4rem}
article{margin:1.5rem 0;padding:1rem 1.25rem;border:1px solid var(--line);border-radius:8px}
article:target{border-color:var(--link)}
h3{margin:0;font-size:1rem;overflow-wrap:anywhere}
h4{margin:1rem 0 .3rem;font-size:.8rem;color:var(--soft);text-transform:uppercase;letter-spacing:.05em}
details h4{text-transform:none;letter-spacing:0}
h3 b{display:inline-block;min-width:4.4rem;padding:.1rem .5rem;margin-right:.4rem;border-radius:4px;color:#fff;
background:#4a5563;font-size:.8rem;text-align:center}
h3 b.get{background:#1f6feb}h3 b.post{background:#1a7f37}h3 b.patch{background:#9a6700}h3 b.delete{background:#c0362c}
code,pre{font-family:ui-monospace,monospace;font-size:.88em}
pre{margin:.3rem 0;padding:.75rem 1rem;overflow:auto;background:var(--box);border-radius:6px}
table{width:100%;border-collapse:collapse;font-size:.92rem}
td,th{padding:.35rem 1rem .35rem 0;border-top:1px solid var(--line);text-align:left;vertical-align:top}
article td:first-child{width:min(13rem,35vw);overflow-wrap:anywhere}
tr:target{background:var(--box)}
i{display:block;font-size:.8rem;color:var(--soft)}
summary{margin-top:.75rem;color:var(--link);cursor:pointer}
"""
