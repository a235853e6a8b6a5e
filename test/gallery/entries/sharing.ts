/** Owns: the states of what shows pictures large and hands messages on. Called by: catalogue.ts. */
import type { AppState } from '../../../renderer/state/app.svelte.ts';
import { PicturePlace } from '../../../renderer/views/pictures/picture-place.svelte.ts';
import { scenarios } from '../../renderer/support/scenarios.ts';
import { changed, click, fill, messageOf, type Entries, type Specimen } from '../specimen.ts';

const nothing = (): void => undefined;
const { changes, groups, pictures } = scenarios;
const onDesktop = changed(pictures, (world) => {
  world.info = { ...world.info, host: 'electron', hasFileDialogs: true };
});

export function chooseTwo(frame: HTMLElement): void {
  click(frame, '.tickable input', 1);
  click(frame, '.tickable input', 2);
}

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

/** As far as it is known to whom it goes. */
function form(more: Partial<Specimen>, world = groups, message = 'Did the new'): Specimen {
  return {
    world,
    open: 'with-tom',
    prepare: (app) => app.forward([messageOf(app, message)]),
    room: 'column',
    ...more,
  };
}

/** The first three are chosen. */
export function chooseThree(app: AppState): void {
  const [first, , third] = app.thread.messages;
  if (first === undefined || third === undefined) throw new Error('there are too few messages');
  app.selection.begin(first);
  app.selection.extendTo(third, app.thread.messages);
}

function bar(prepare: (app: AppState) => unknown, more: Record<string, unknown> = {}): Specimen {
  return {
    world: changes,
    open: 'with-tom',
    prepare,
    props: (app) => ({ conversation: app.conversations.open, readOnly: false, ...more }),
  };
}

export const sharing: Entries = {
  'views/thread/SelectionBar.svelte': {
    'three of both sides': bar(chooseThree),
    'one of ours, which can be deleted for everybody': bar((app) =>
      app.selection.begin(messageOf(app, 'Good. I am')),
    ),
    'is asked about': {
      ...bar(chooseThree),
      act: (frame) => click(frame, '.danger', -1),
    },
    'none any more': bar((app) => {
      const message = messageOf(app, 'Good. I am');
      app.selection.begin(message);
      app.selection.toggle(message);
    }),
  },
  'views/thread/ChoosableRow.svelte': {
    'chosen, and not': {
      ...bar(chooseThree),
      props: (app) =>
        ['Did the new', 'Coming in'].map((text) => ({
          message: messageOf(app, text),
          name: 'Tom Weber',
          place: 'first',
          isStop: true,
        })),
    },
  },
  'views/forward/ForwardForm.svelte': {
    'nobody is chosen': form({}),
    'two are chosen': form({ act: (frame) => chooseTwo(frame) }),
    'several messages': form({ prepare: (app) => app.forward(app.thread.messages.slice(0, 3)) }),
    'nobody has this name': form({ act: (frame) => fill(frame, 'input', 'Zoltan') }),
    'a file': form({}, pictures, 'harbour'),
    'a file that is gone': form(
      {
        act: async (frame, app, backend) => {
          backend.refusals.set(`message.forward ${messageOf(app, 'harbour').id}`, {
            code: 'not-found',
            message: 'This file is not on this computer any more.',
          });
          chooseTwo(frame);
          await app.forwarding.send();
        },
      },
      pictures,
      'harbour',
    ),
  },
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
