// Gives each block of code a button that copies it. Where there is no clipboard, there is no button.
const said = document.createElement('p');
said.className = 'unseen';
said.setAttribute('role', 'status');

/** @param {HTMLElement} block */
function addButton(block) {
  const text = block.textContent.trim();
  const button = document.createElement('button');
  const word = document.createTextNode('Copy');
  const what = document.createElement('span');
  what.className = 'unseen';
  what.textContent = ` ${block.dataset.what ?? ''}`;
  button.type = 'button';
  button.className = 'button button-plain';
  button.append(word, what);
  const say = (result) => {
    word.data = said.textContent = result;
    setTimeout(() => (word.data = 'Copy'), 2000);
  };
  button.addEventListener('click', () => {
    navigator.clipboard.writeText(text).then(
      () => say('Copied'),
      () => say('Not copied'),
    );
  });
  block.append(button);
}

if (navigator.clipboard) {
  document.body.append(said);
  for (const block of document.querySelectorAll('.copied')) addButton(block);
}
