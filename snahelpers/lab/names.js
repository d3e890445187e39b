// What ipywidgets leaves without a name gets one, so that it can be told in words.
(() => {
  const set = (element, name, value) => {
    if (element && element.getAttribute(name) !== value) element.setAttribute(name, value);
  };
  const name = () => document.querySelectorAll('.sna-lab').forEach(lab => {
    set(lab, 'role', 'region');
    set(lab, 'aria-label', 'The SNA lab');
    lab.querySelectorAll('.sna-number').forEach(number => {
      const label = number.querySelector('.widget-label').textContent;
      number.querySelectorAll('[role=slider], .ui-slider-handle').forEach(handle => {
        set(handle, 'aria-label', label);
      });
      set(number.querySelector('input'), 'aria-label', `${label}, as a number`);
    });
    set(lab.querySelector('img'), 'alt', lab.querySelector('.sna-told')?.textContent.trim() || '');
    lab.querySelectorAll('.progress').forEach(bar => {
      set(bar, 'role', 'progressbar');
      set(bar, 'aria-label', 'progress of the search');
    });
  });
  const page = document.querySelector('[data-voila] #rendered_cells');
  set(page, 'role', 'main');
  new MutationObserver(name).observe(document.body, {
    subtree: true, childList: true, attributes: true, attributeFilter: ['class'],
  });
  name();
})();
