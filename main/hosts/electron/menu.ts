/**
 * Owns: the menu bar where the system wants one, and the menu of a text under the pointer.
 * Called by: main.ts, window.ts. Calls: Electron's Menu.
 */
import { Menu, type ContextMenuParams, type MenuItemConstructorOptions, type WebContents } from 'electron';
import type { Words } from './words.ts';

/** macOS needs its menu bar for copy, paste and closing (Command W is in its file menu); elsewhere the window has everything itself. */
export function setMenuBar(platform: NodeJS.Platform = process.platform): void {
  if (platform !== 'darwin') {
    Menu.setApplicationMenu(null);
    return;
  }
  Menu.setApplicationMenu(
    Menu.buildFromTemplate([
      { role: 'appMenu' },
      { role: 'fileMenu' },
      { role: 'editMenu' },
      { role: 'windowMenu' },
    ]),
  );
}

/** Cut, copy and paste under the right mouse button, and how a word that is spelled wrong could be spelled. */
export function offerTextMenu(contents: WebContents, words: () => Words): void {
  contents.on('context-menu', (_event, shown) => {
    const { isEditable, selectionText, editFlags } = shown;
    const items: MenuItemConstructorOptions[] = isEditable
      ? [
          ...spellingItems(contents, shown, words()),
          { role: 'cut', enabled: editFlags.canCut },
          { role: 'copy', enabled: editFlags.canCopy },
          { role: 'paste', enabled: editFlags.canPaste },
          { type: 'separator' },
          { role: 'selectAll', enabled: editFlags.canSelectAll },
        ]
      : [{ role: 'copy', enabled: selectionText !== '' }];
    if (isEditable || selectionText !== '') Menu.buildFromTemplate(items).popup();
  });
}

function spellingItems(
  contents: WebContents,
  { misspelledWord, dictionarySuggestions }: ContextMenuParams,
  words: Words,
): MenuItemConstructorOptions[] {
  if (misspelledWord === '') return [];
  return [
    ...dictionarySuggestions.map((label) => ({
      label,
      click: () => {
        contents.replaceMisspelling(label);
      },
    })),
    {
      label: words.addToDictionary,
      click: () => contents.session.addWordToSpellCheckerDictionary(misspelledWord),
    },
    { type: 'separator' },
  ];
}
