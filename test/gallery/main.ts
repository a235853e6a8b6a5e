/**
 * Owns: `npm run gallery`: every component in every state, in a browser. `--build` only writes it into out/gallery.
 * Called by: package.json, gallery.e2e.ts. Calls: site.ts.
 */
import { buildGallery, serveGallery, watchGallery } from './site.ts';

if (process.argv.includes('--build')) {
  await buildGallery();
} else {
  await watchGallery();
  const { address } = await serveGallery();
  console.log(`The gallery is at ${address}\nIt is built anew when code changes; Ctrl C ends it.`);
}
