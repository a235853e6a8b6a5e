/** Owns: the states of files, and of texts as long as files, in a thread. Called by: catalogue.ts. */
import { scenarios } from '../../renderer/support/scenarios.ts';
import { changed, click, messageOf, type Entries, type Entry, type Specimen } from '../specimen.ts';

const { files, groupFiles } = scenarios;
const inFiles = { world: files, open: 'with-tom' } as const;
const inGroupFiles = { world: groupFiles, open: 'with-trip' } as const;

/** A card for each file of the scenario, by its direction, state and name. */
const fileCards: Entry = Object.fromEntries(
  files()
    .messages.filter((message) => message.file !== undefined)
    .map(({ direction, file, text }): [string, Specimen] => [
      `${direction === 'in' ? 'incoming' : 'outgoing'}, ${file?.state ?? ''}: ${text.slice(0, 24)}`,
      {
        ...inFiles,
        props: (app) => {
          const message = messageOf(app, text);
          return { message, file: message.file, name: 'Tom' };
        },
      },
    ]),
);

/** Sent by another device of the user, which still offers it. */
const elsewhereFile: Specimen = {
  ...inFiles,
  props: (app) => {
    const message = messageOf(app, 'Floor plan');
    const file = message.file && { ...message.file, state: 'offered', elsewhere: true, available: false };
    return { message: { ...message, direction: 'out', state: 'queued' }, file, name: 'Tom' };
  },
};

/** In a group it is a server that takes files, or does not. */
function groupFile(name: string): Specimen {
  return {
    ...inGroupFiles,
    props: (app) => {
      const message = messageOf(app, name);
      return { message, file: message.file, name: 'Sea trip' };
    },
  };
}

const desktopFile: Specimen = {
  ...inFiles,
  world: changed(files, (world) => {
    world.info = { ...world.info, host: 'electron', hasFileDialogs: true };
  }),
  props: (app) => {
    const message = messageOf(app, 'Floor plan');
    return { message, file: message.file, name: 'Tom' };
  },
};

export const fileEntries: Entries = {
  'views/thread/FileCard.svelte': {
    ...fileCards,
    'here, on the desktop': desktopFile,
    'outgoing, offered from another device': elsewhereFile,
    'in a group, waiting for its server': groupFile('garden.mov'),
    'in a group, no longer at its server': groupFile('last summer'),
    'in a group, too large for its server': groupFile('film.mov'),
    'in a group, no room at its server': groupFile('photos.zip'),
    'in a group, whose server keeps none': groupFile('songs.zip'),
  },
  'views/thread/TextCard.svelte': {
    closed: { ...inFiles, props: (app) => ({ message: messageOf(app, 'Line 1 of'), bytes: 98_893 }) },
    open: {
      ...inFiles,
      props: (app) => ({ message: messageOf(app, 'Line 1 of'), bytes: 98_893 }),
      act: (frame) => click(frame, '.button.compact'),
    },
  },
};
