/**
 * Owns: `npm run gallery`: every component in every state, in a browser. `--build` only writes it into out/gallery;
 * `--accept` keeps pictures of how the views look now, `--docs` makes those of docs/pictures anew. Called by: package.json, gallery.e2e.ts. Calls: site, photographer.
 */
import { launchBrowser } from '../support/launch-browser.ts';
import { acceptPictures, writeDocsPictures } from './photographer.ts';
import { buildGallery, serveGallery, watchGallery } from './site.ts';

async function withGallery(task: typeof acceptPictures): Promise<void> {
  await buildGallery();
  const site = await serveGallery();
  const browser = await launchBrowser();
  await task(browser, site.address);
  await browser.close();
  await site.close();
}

if (process.argv.includes('--build')) {
  await buildGallery();
} else if (process.argv.includes('--accept')) {
  await withGallery(acceptPictures);
} else if (process.argv.includes('--docs')) {
  await withGallery(writeDocsPictures);
} else {
  await watchGallery();
  const { address } = await serveGallery();
  console.log(`The gallery is at ${address}\nIt is built anew when code changes; Ctrl C ends it.`);
}
