/** Owns: the states of what shows pictures large and hands messages on. Called by: catalogue.ts. */
import type { AppState } from '../../../renderer/state/app.svelte.ts';
import { PicturePlace } from '../../../renderer/views/pictures/picture-place.svelte.ts';
import { scenarios } from '../../renderer/support/scenarios.ts';
import { changed, messageOf, type Entries, type Specimen } from '../specimen.ts';

const nothing = (): void => undefined;
const { pictures } = scenarios;
const onDesktop = changed(pictures, (world) => {
  world.info = { ...world.info, host: 'electron', hasFileDialogs: true };
});

/** Looks at a picture; resolves when it has come. */
export async function look(app: AppState, name: string): Promise<void> {
  await app.pictures.open(messageOf(app, name));
}

/** As long as it is being read and decoded. */
export async function come(frame: HTMLElement): Promise<void> {
  while (frame.querySelector('.stage[aria-busy="true"]') !== null) await new Promise(requestAnimationFrame);
}

function viewer(name: string, world = pictures): Specimen {
  return {
    world,
    open: 'with-tom',
    prepare: (app) => look(app, name),
    props: (app) => ({ message: messageOf(app, name) }),
    act: come,
    room: 'page',
  };
}

function stage(name: string): Specimen {
  return {
    ...viewer(name),
    props: (app) => ({ message: messageOf(app, name), place: new PicturePlace(), leave: nothing }),
  };
}

export const sharing: Entries = {
  'views/pictures/PictureViewer.svelte': {
    'in a browser': viewer('harbour'),
    'on the desktop': viewer('lighthouse', onDesktop),
    'could not be opened': {
      ...viewer('harbour', onDesktop),
      act: async (frame, app, backend) => {
        await come(frame);
        backend.refusals.set('transfer.open', {
          code: 'not-found',
          message: 'This file is not on this computer any more.',
        });
        await app.transfers.do('open', messageOf(app, 'harbour').id);
      },
    },
  },
  'views/pictures/PictureStage.svelte': {
    'all of it': stage('harbour'),
    'too many pixels': stage('map of'),
    'too many bytes': stage('survey'),
  },
};
