/**
 * Owns: the search of an exported folder as it runs in the browser, and the bits by which it knows which files to load.
 * Called by: export-search.ts, export-page.ts. Calls: store/search-text.ts for the form of words.
 */
import { foldText, RUNS_PATTERN, runsOf } from '../../store/search-text.ts';

/** Of one file; a power of two. */
const BITS = 32_768;
const LONG_BEGINNING = 3;
const SHORT_BEGINNING = 2;

/** FNV-1a over UTF-16. */
function bitOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % BITS;
}

/** A bit for each beginning of two and three letters of the words, and for each character of scripts without spaces. */
export function beginningBits(texts: readonly string[]): Uint8Array {
  const bits = new Uint8Array(BITS / 8);
  const set = (text: string): void => {
    const bit = bitOf(text);
    bits[bit >> 3] = (bits[bit >> 3] ?? 0) | (1 << (bit & 7));
  };
  for (const text of texts) {
    for (const { kind, text: run } of runsOf(foldText(text))) {
      if (kind === 'unspaced') for (const character of run) set(character);
      else for (const length of [SHORT_BEGINNING, LONG_BEGINNING]) set(run.slice(0, length));
    }
  }
  return bits;
}

const MAX_SHOWN = 200;

/** What {@link beginningBits} and the folding of the index do, in the page; every text is put in as text. */
export const FOLDER_SEARCH = `const BITS=${BITS},pages=[],shards=[],met=new Map();
let waiting=null,turn=0,loaded=null;
const fold=t=>t.normalize('NFKD').replace(/\\p{M}+/gu,'').toLowerCase().replaceAll('ß','ss');
const runs=t=>[...t.matchAll(new RegExp(${JSON.stringify(RUNS_PATTERN)},'gu'))].map(([text,unspaced])=>({text,unspaced:unspaced!==undefined}));
const bitOf=t=>{let h=0x811c9dc5;for(let i=0;i<t.length;i+=1)h=Math.imul(h^t.charCodeAt(i),0x01000193);return(h>>>0)%BITS};
globalThis.parleyPage=(n,path,title)=>{pages[n]={path,title}};
globalThis.parleyShard=(n,bits)=>{shards.push({n,bits:Uint8Array.from(atob(bits),c=>c.charCodeAt(0))})};
globalThis.parleyEntries=(n,entries)=>{met.set(n,entries.map(e=>({e,text:fold(e[2]+' '+e[4])})));while(met.size>40)met.delete(met.keys().next().value)};
const load=src=>new Promise((done,fail)=>{const s=document.createElement('script');s.src=src;s.onload=()=>{s.remove();done()};s.onerror=()=>{s.remove();fail(new Error(src))};document.head.append(s)});
const has=({bits},text)=>{const b=bitOf(text);return(bits[b>>3]&(1<<(b&7)))!==0};
const mayHave=(shard,terms)=>terms.every(({text,unspaced})=>unspaced?[...text].every(c=>has(shard,c)):text.length<2||has(shard,text.slice(0,3)));
const field=document.querySelector('input'),list=document.querySelector('#found'),said=document.querySelector('#said'),more=document.querySelector('#more'),all=document.querySelector('#all');
const line=(tag,text,kind)=>{const e=document.createElement(tag);e.textContent=text;if(kind)e.className=kind;return e};
const show=hits=>{list.replaceChildren(...hits.toSorted((a,b)=>a[3]<b[3]?1:a[3]>b[3]?-1:b[1]-a[1]).map(([page,place,who,when,text])=>{const{path,title}=pages[page];
const item=document.createElement('li'),link=document.createElement('a');link.href=encodeURIComponent(path)+'#m'+place;link.dir='auto';link.append(line('span',who+' · '+when+' UTC · '+title,'t'),line('span',text.length>300?text.slice(0,300)+'…':text));item.append(link);return item}))};
async function search(){const mine=++turn,terms=runs(fold(field.value));more.hidden=true;
all.hidden=terms.length>0;if(terms.length===0){list.replaceChildren();said.textContent='';return}
said.textContent='Searching…';try{await(loaded??=load('search/index.js'))}catch{loaded=null;said.textContent='The folder "search" is missing beside this page.';return}
if(mine!==turn)return;
const patterns=terms.map(({text,unspaced})=>new RegExp((unspaced?'':'(?<![\\\\p{L}\\\\p{N}])')+text,'u'));
const hits=[];let limit=${MAX_SHOWN};
for(const shard of shards.toReversed()){if(!mayHave(shard,terms))continue;
if(!met.has(shard.n)){try{await load('search/'+String(shard.n).padStart(4,'0')+'.js')}catch{said.textContent='A file of the folder "search" is missing.';return}}
if(mine!==turn)return;
for(const{e,text}of met.get(shard.n)??[])if(patterns.every(p=>p.test(text)))hits.push(e);
if(hits.length>=limit){show(hits);said.textContent=hits.length+' found so far';more.hidden=false;await new Promise(go=>{more.onclick=go});if(mine!==turn)return;more.hidden=true;limit=hits.length+${MAX_SHOWN};said.textContent='Searching…'}}
show(hits);said.textContent=hits.length===0?'Nothing found':hits.length+' found'}
field.addEventListener('input',()=>{clearTimeout(waiting);waiting=setTimeout(search,120)});
field.addEventListener('keydown',e=>{if(e.key==='Escape'){field.value='';search()}});`;
