import logging
logging.basicConfig(level=logging.INFO, force=True)
logging.info('loading'); logging.warning('slow')
print('done')
