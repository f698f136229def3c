print('🎉 family 👨‍👩‍👧 flag 🇩🇪 skin 👍🏽 combining é')
'🎉'
